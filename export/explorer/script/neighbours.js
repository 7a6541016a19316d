// A grid of places around z, along the two latents that tell most of x.

import {find, make, shown} from "./elements.js";
import {draw} from "./picture.js";

export function addNeighbours(explorer) {
  const axes = explorer.card.latent_order.slice(0, 2);
  find("neighbours-note").textContent = axes.length === 2
    ? `To the right z${axes[0]} grows, upwards z${axes[1]}. Choose one to ` +
      "move there."
    : `To the right z${axes[0]} grows. Choose one to move there.`;
  let cells = [];
  const build = () => {
    cells = offsets(axes.length).map((at) => addCell(explorer, axes, at));
    const grid = find("neighbours");
    grid.replaceChildren(...cells.map(({button}) => button));
    grid.style.setProperty("--columns", find("grid-size").value);
    ask();
  };
  const ask = () => explorer.ask(
    "neighbours", "neighbours-error", () => show(explorer, cells));
  explorer.onChange((changed) => {
    if (changed.some((n) => ["z", "label", "example", "seen"].includes(n))) {
      ask();
    }
  });
  find("grid-size").addEventListener("change", build);
  find("grid-step").addEventListener("change", build);
  build();
}

/** Returns how far each cell is along each axis, row by row. */
function offsets(numAxes) {
  const half = (Number(find("grid-size").value) - 1) / 2;
  const step = Number(find("grid-step").value);
  const steps = Array.from(
    {length: 2 * half + 1}, (_, index) => (index - half) * step);
  if (numAxes === 1) return steps.map((right) => [right]);
  return steps.toReversed().flatMap(
    (up) => steps.map((right) => [right, up]));
}

/** Returns {button, canvas, place()} of a cell. */
function addCell(explorer, axes, at) {
  const canvas = make("canvas");
  const button = make("button", {type: "button", className: "thumb"}, canvas);
  button.ariaLabel = at.map((by, axis) =>
    `z${axes[axis]} ${by > 0 ? "+" : ""}${shown(by)}`).join(", ");
  const isHere = at.every((by) => by === 0);
  if (isHere) button.setAttribute("aria-current", "true");
  const place = () => {
    const z = [...explorer.place.z];
    at.forEach((by, axis) => {
      z[axes[axis]] = Number((z[axes[axis]] + by).toFixed(4));
    });
    return isHere ? explorer.place.z : z;
  };
  button.addEventListener("click", () => {
    explorer.change({z: place()});
    explorer.say(`Moved to ${button.ariaLabel}.`);
  });
  return {button, canvas, place};
}

async function show(explorer, cells) {
  const rows = cells.map(({place}) => ({z: place()}));
  for (const [index, x] of (await explorer.decode(rows)).entries()) {
    draw(cells[index].canvas, x, explorer.card);
  }
}
