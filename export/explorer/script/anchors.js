// Two places to come back to, A and B, and the straight way between them.

import {fill, find, shown} from "./elements.js";
import {draw} from "./picture.js";

const ENDS = [["a", 0], ["b", 1]];

export function addAnchors(explorer) {
  const bar = find("bar");
  for (const [name, t] of ENDS) {
    find(`keep-${name}`).addEventListener("click", () => {
      explorer.change({[name]: explorer.place.z, t});
      explorer.say(`Kept as ${name.toUpperCase()}.`);
    });
    find(`go-${name}`).addEventListener("click", () =>
      explorer.change({z: explorer.place[name], t}));
  }
  bar.addEventListener("input", () => moveTo(explorer, bar.valueAsNumber));
  bar.addEventListener("keydown", (event) => {
    const step = {ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05,
      ArrowUp: 0.05}[event.key];
    if (step === undefined) return;
    event.preventDefault(); // the browser's own step
    moveTo(explorer, Number((explorer.place.t + step).toFixed(4)));
  });
  explorer.onChange((changed) => {
    showBar(explorer, bar);
    if (changed.some((name) => ["a", "b", "label", "seen"].includes(name))) {
      explorer.ask("anchors", "anchors-error", () => showEnds(explorer));
    }
  });
}

function moveTo(explorer, to) {
  const t = Math.min(1, Math.max(0, to));
  explorer.change({z: between({...explorer.place, t}), t});
}

function between({a, b, t}) {
  return a.map((from, index) => (1 - t) * from + t * b[index]);
}

function inWords(place) {
  const {a, b, t, z} = place;
  if (!(a && b)) return "Keep two places first.";
  const way = between(place);
  const isOnWay = z.every((value, i) => Math.abs(value - way[i]) < 1e-5);
  return isOnWay ? `${shown(1 - t)} A + ${shown(t)} B` : "z is elsewhere.";
}

function showBar(explorer, bar) {
  const {a, b, t} = explorer.place;
  bar.disabled = !(a && b);
  bar.value = t;
  fill(bar, 0);
  const words = inWords(explorer.place);
  find("bar-value").textContent = words;
  bar.setAttribute("aria-valuetext", words);
  for (const [name] of ENDS) {
    find(`go-${name}`).disabled = !explorer.place[name];
  }
}

async function showEnds(explorer) {
  const kept = ENDS.filter(([name]) => explorer.place[name]);
  if (!kept.length) return;
  const rows = kept.map(([name]) => ({z: explorer.place[name]}));
  for (const [index, x] of (await explorer.decode(rows)).entries()) {
    draw(find(`picture-${kept[index][0]}`), x, explorer.card);
  }
}
