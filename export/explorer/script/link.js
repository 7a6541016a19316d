// The place where one stands, as the part of the page's address after #.

export const LARGEST_SEED = Number.MAX_SAFE_INTEGER; // 2^53 - 1
const VECTORS = ["z", "a", "b"];
const NUMBERS = ["label", "seed", "t"];

/** Returns the text of a place: {model, z, label, seed, a, b, t}. */
export function toFragment(place) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) {
    if (value === null) continue;
    parts.set(name, Array.isArray(value) ? value.map(short).join(",") : value);
  }
  return parts.toString().replaceAll("%2C", ",");
}

/** Returns the place that a text names; what it does not name is absent. */
export function fromFragment(text) {
  const place = {};
  for (const [name, value] of new URLSearchParams(text.replace(/^#/, ""))) {
    if (VECTORS.includes(name)) place[name] = value.split(",").map(toNumber);
    else if (NUMBERS.includes(name)) place[name] = toNumber(value);
    else if (name === "model") place.model = value;
  }
  return place;
}

/** Returns what of a place does not go with the model, in words, or "". */
export function mismatch(place, {latent_dim, num_classes}) {
  for (const name of VECTORS.filter((name) => name in place)) {
    const {length} = place[name];
    if (length !== latent_dim) {
      return `it has ${length} latents, the model ${latent_dim}`;
    }
    if (!place[name].every(Number.isFinite)) {
      return `its ${name} is not made of numbers`;
    }
  }
  const {label = 0, seed = 0, t = 0} = place;
  if (!(t >= 0 && t <= 1)) return "its t is not between 0 and 1";
  if (!isCount(label) || (num_classes && label >= num_classes)) {
    return `the model has no class ${label}`;
  }
  return isCount(seed) ? "" : "its seed is no whole number below 2^53";
}

/** Whether a number can be counted to: 0, 1, 2, up to 2^53 - 1. */
export function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

function short(value) {
  return String(Number(value.toPrecision(7)));
}

function toNumber(text) {
  return text.trim() === "" ? NaN : Number(text);
}
