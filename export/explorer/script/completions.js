// What a mask model makes of the half of an image that it does not see.

import {find, make} from "./elements.js";
import {draw} from "./picture.js";

const COUNT = 8;

export function addCompletions(explorer) {
  const takesMasks = explorer.model.conditions.includes("mask");
  find("completing").hidden = !takesMasks;
  if (!takesMasks) return;
  const cells = Array.from({length: COUNT}, () => addCell(explorer));
  find("completions").style.setProperty("--columns", COUNT / 2);
  find("completions").replaceChildren(...cells.map(({button}) => button));
  find("seen").addEventListener("change", ({target}) =>
    explorer.change({seen: target.value}));
  explorer.onChange((changed) => {
    find("seen").value = explorer.seen;
    find("seen").disabled = !explorer.example;
    if (changed.some((name) => ["example", "seen", "seed"].includes(name))) {
      explorer.ask(
        "completions", "completions-error", () => show(explorer, cells));
    }
  });
}

function addCell(explorer) {
  const canvas = make("canvas");
  const button = make("button", {type: "button", className: "thumb"}, canvas);
  const cell = {canvas, button, drawn: null};
  button.addEventListener("click", () => {
    if (!cell.drawn) return;
    explorer.change({z: cell.drawn.z}, cell.drawn.x);
    explorer.say(`Moved to the completion from seed ${cell.seed}.`);
  });
  return cell;
}

async function show(explorer, cells) {
  const conditions = explorer.conditions();
  const seeds = cells.map((_, index) => explorer.place.seed + index);
  const rows = seeds.map((seed) => ({...conditions, seed}));
  const answers = await explorer.model.call("sample", rows);
  for (const [index, drawn] of answers.entries()) {
    Object.assign(cells[index], {drawn, seed: seeds[index]});
    cells[index].button.ariaLabel = `Completion from seed ${seeds[index]}`;
    draw(cells[index].canvas, drawn.x, explorer.card);
  }
}
