// A slider for each latent, the most important first.

import {fill, find, make, shown} from "./elements.js";

const MOST_SHOWN = 8; // the others are unfolded
const SPAN = 3; // standard deviations of the prior
const KEYS = {
  ArrowRight: 0.1, ArrowUp: 0.1, PageUp: 0.5,
  ArrowLeft: -0.1, ArrowDown: -0.1, PageDown: -0.5,
};

export function addSliders(explorer) {
  const {latent_order: order, kl_per_dim: kl} = explorer.card;
  find("sliders").replaceChildren();
  find("more-sliders").replaceChildren();
  const sliders = order.map((index, place) => {
    const id = place < MOST_SHOWN ? "sliders" : "more-sliders";
    return addSlider(explorer, index, find(id));
  });
  const rest = order.length - MOST_SHOWN;
  find("more").hidden = rest <= 0;
  find("more").querySelector("summary").textContent =
    `All latents: ${rest} more`;
  find("latents-note").textContent = noteOf(kl);
  explorer.onChange((changed) => {
    if (!changed.includes("z")) return;
    for (const show of sliders) show(explorer.place.z);
  });
}

function noteOf(kl) {
  const keys = "Arrow keys move a slider by 0.1, Page Up and Page Down by " +
    "0.5, the key 0 to zero.";
  if (!kl) return keys;
  const used = kl.filter((nats) => nats > 0.01).length;
  return `By their KL, which says how much each tells of x: ${used} of ` +
    `${kl.length} tell more than 0.01 nats. ${keys}`;
}

/** Returns a function that shows z on the slider. */
function addSlider(explorer, index, parent) {
  const id = `z-${index}`;
  const kl = explorer.card.kl_per_dim;
  const input = make("input", {id, type: "range", step: "any"});
  const value = make("output", {for: id});
  const name = make("label", {htmlFor: id}, "z", make("sub", {}, `${index}`));
  const row = make("div", {className: "slider"}, name, input, value);
  if (kl) row.append(barOf(kl[index], Math.max(...kl)));
  parent.append(row);
  const move = (to) => {
    const z = [...explorer.place.z];
    z[index] = Number(to.toFixed(4));
    explorer.change({z});
  };
  input.addEventListener("input", () => move(input.valueAsNumber));
  input.addEventListener("keydown", (event) => {
    const step = event.key === "0" ? -explorer.place.z[index] : KEYS[event.key];
    if (step === undefined) return;
    event.preventDefault(); // the browser's own step
    const to = explorer.place.z[index] + step;
    move(Math.min(Number(input.max), Math.max(Number(input.min), to)));
  });
  return (z) => {
    const span = Math.max(SPAN, Math.ceil(Math.abs(z[index])));
    [input.min, input.max, input.value] = [-span, span, z[index]];
    fill(input, 0);
    value.textContent = shown(z[index]);
    input.setAttribute("aria-valuetext", shown(z[index]));
  };
}

/** Returns a latent's KL, as a number and as a bar beside the largest. */
function barOf(nats, largest) {
  const bar = make("i", {ariaHidden: "true"});
  bar.style.width = `${100 * Math.max(0, nats) / (largest || 1)}%`;
  return make("span", {className: "kl"}, bar, `${shown(nats)} nats`);
}
