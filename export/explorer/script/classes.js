// The class of a conditional model, each with the picture it makes of this z.

import {complain, find, make} from "./elements.js";
import {draw} from "./picture.js";

const MOST_PICTURES = 20; // classes; more are only numbered
const MOST_CLASSES = 1000;

export function addClasses(explorer) {
  const isConditional = explorer.place.label !== null;
  find("classes").hidden = !isConditional;
  if (!isConditional) return;
  const field = find("num-classes");
  const {num_classes: known} = explorer.card;
  find("num-classes-row").hidden = known !== null;
  let buttons = [];
  const build = () => {
    const count = known ?? field.valueAsNumber;
    if (!(Number.isInteger(count) && count >= 1 && count <= MOST_CLASSES)) {
      return complain("classes-error", "The number of classes must be a " +
        `whole number from 1 to ${MOST_CLASSES}.`);
    }
    buttons = Array.from({length: count}, (_, k) => addClass(explorer, k));
    find("class-list").replaceChildren(...buttons.map(({option}) => option));
    explorer.change({label: Math.min(explorer.place.label, count - 1)});
  };
  const choose = (label) => {
    if (label >= buttons.length) { // of a link; nobody said how many there are
      field.value = label + 1;
      return build();
    }
    buttons[label].input.checked = true;
  };
  explorer.onChange((changed) => {
    if (changed.includes("label")) choose(explorer.place.label);
    const isMoved = changed.some((name) => ["z", "label"].includes(name));
    if (!isMoved || buttons.length > MOST_PICTURES) return;
    explorer.ask("classes", "classes-error", () => show(explorer, buttons));
  });
  field.addEventListener("change", build);
  build();
}

/** Returns {option, input, canvas} of a class. */
function addClass(explorer, label) {
  const input = make("input", {type: "radio", name: "class", value: label});
  const canvas = make("canvas", {ariaHidden: "true"});
  const option = make("label", {className: "class"}, input, canvas, `${label}`);
  input.addEventListener("change", () => {
    explorer.change({label});
    explorer.say(`Class ${label}.`);
  });
  return {option, input, canvas};
}

async function show(explorer, buttons) {
  const {z} = explorer.place;
  const rows = buttons.map((_, label) => ({z, label}));
  for (const [label, x] of (await explorer.decode(rows)).entries()) {
    draw(buttons[label].canvas, x, explorer.card);
  }
}
