// The picture at z, the draws by seed, and the link to here.

import {complain, find} from "./elements.js";
import {isCount, LARGEST_SEED, toFragment} from "./link.js";
import {draw} from "./picture.js";

const LINK_DELAY_MS = 300; // browsers limit how often an address may change
const SHOWS = ["z", "label", "example", "seen"]; // what changes the picture

export function addPicture(explorer) {
  const show = (x) => {
    find("shades").textContent = draw(find("picture"), x, explorer.card);
  };
  explorer.onChange((changed, x) => {
    if (x) show(x);
    else if (changed.some((name) => SHOWS.includes(name))) {
      explorer.ask("picture", "picture-error", async () =>
        show((await explorer.decode([{z: explorer.place.z}]))[0]));
    }
  });
}

export function addDraws(explorer) {
  const seed = find("seed");
  find("drawing").hidden = !explorer.model.has("sample");
  explorer.onChange((changed) => {
    if (changed.includes("seed")) seed.value = explorer.place.seed;
  });
  const drawAt = (value) => {
    if (seed.value.trim() === "" || !isCount(value)) {
      return complain("draw-error", "The seed must be a whole number from 0 " +
        `to ${LARGEST_SEED}.`);
    }
    explorer.change({seed: value});
    explorer.ask("draw", "draw-error", () => sample(explorer));
  };
  find("draw").addEventListener("click", () => drawAt(Number(seed.value)));
  find("next").addEventListener("click", () => drawAt(Number(seed.value) + 1));
  seed.addEventListener("keydown", ({key}) => {
    if (key === "Enter") drawAt(Number(seed.value));
  });
}

async function sample(explorer) {
  const {seed, z: before} = explorer.place;
  const row = {...explorer.conditions(), seed};
  const [{z, x}] = await explorer.model.call("sample", [row]);
  if (explorer.place.z !== before) return; // somebody moved on meanwhile
  explorer.change({z}, x);
  explorer.say(`Drawn from seed ${seed}.`);
}

export function addLink(explorer) {
  let timer = 0;
  const write = () => {
    clearTimeout(timer);
    history.replaceState(null, "", `#${toFragment({
      model: explorer.model.name, ...explorer.place})}`);
  };
  explorer.onChange(() => {
    clearTimeout(timer);
    timer = setTimeout(write, LINK_DELAY_MS);
  });
  find("copy").addEventListener("click", async () => {
    write();
    try {
      await navigator.clipboard.writeText(location.href);
      explorer.say("The link is copied.");
    } catch { // a browser gives the clipboard to safe pages only
      find("link-row").hidden = false;
      find("link").value = location.href;
      find("link").select();
      explorer.say("Copy the link from the field.");
    }
  });
  find("reset").addEventListener("click", () => {
    explorer.change({...explorer.origin(), example: null, seen: "nothing"});
    explorer.say("All is at 0 again.");
  });
}
