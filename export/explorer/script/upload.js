// An example of the user's own: encoded, reconstructed, and gone to.

import {complain, find} from "./elements.js";
import {draw} from "./picture.js";
import {readImage, readNumbers} from "./reading.js";
import {Refusal} from "./server.js";

const MOST_BYTES = 1 << 26; // of an image file

export function addUpload(explorer) {
  const {card, model} = explorer;
  const takes = model.has("encode") || model.conditions.includes("image");
  find("example").hidden = false;
  find("example-note").textContent = noteOn(explorer);
  find("with-image").hidden = !(takes && card.is_image);
  find("with-numbers").hidden = !(takes && !card.is_image);
  if (!takes) return;
  explorer.onChange(() => {
    find("pair").hidden = !explorer.example;
  });
  if (card.is_image) addImages(explorer);
  else addNumbers(explorer);
}

function noteOn({card, model, place}) {
  if (!model.has("encode")) {
    return `${model.name} has no encoder, so it cannot say where an example ` +
      "is; the servable vae of the same run can.";
  }
  return "The sliders go to where the model puts it, the mean of q(z|x)." +
    (card.is_image ? " Of an image, the middle is taken." : "") +
    (place.label === null ? "" : " It is taken to be of the class above.");
}

function addImages(explorer) {
  let file = null;
  const read = (newest) => {
    const chosen = file = newest ?? file;
    if (chosen) explorer.ask("read", "example-error", async () => {
      use(explorer, await xOf(chosen, explorer.card));
    });
  };
  const drop = find("drop");
  find("file").addEventListener("change", ({target}) => read(target.files[0]));
  find("file").addEventListener("click", ({target}) => {
    target.value = ""; // or the same file, changed, would not be read again
  });
  find("invert").addEventListener("change", () => read());
  explorer.onChange((changed) => {
    const isGone = changed.includes("example") && !explorer.example;
    if (isGone) [file, find("file").value] = [null, ""];
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault(); // or it could not be dropped
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault(); // or the browser would open it
    drop.classList.remove("over");
    read(event.dataTransfer.files[0]);
  });
}

async function xOf(file, card) {
  if (file.size > MOST_BYTES) {
    throw new Refusal(`${file.name} has more than ${MOST_BYTES} bytes; give ` +
      "a smaller image.");
  }
  try {
    return await readImage(file, card, find("invert").checked);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new Refusal(`${file.name} cannot be read as an image; give a PNG, ` +
      "JPEG, WebP or GIF.");
  }
}

function addNumbers(explorer) {
  const [count] = explorer.card.event_shape;
  find("example-title").textContent = "From an example of yours";
  find("with-numbers").addEventListener("submit", (event) => {
    event.preventDefault();
    const x = readNumbers(find("numbers").value, count);
    if (x) use(explorer, x);
    else complain("example-error", `x is ${count} numbers, with commas.`);
  });
}

/** Shows an example beside its reconstruction, and moves to its code. */
function use(explorer, x) {
  complain("example-error");
  draw(find("given"), x, explorer.card);
  const seen = explorer.seen === "nothing" ? "left" : explorer.seen;
  explorer.change({example: x, seen});
  if (!explorer.model.has("encode")) return;
  explorer.ask("encode", "example-error", async () => {
    const row = {...explorer.conditions(), x};
    const [{loc}] = await explorer.model.call("encode", [row]);
    explorer.change({z: loc});
    const [{x: rebuilt}] = await explorer.model.call("reconstruct", [row]);
    draw(find("rebuilt"), rebuilt, explorer.card);
    explorer.say("Encoded; the sliders are at its code.");
  });
}
