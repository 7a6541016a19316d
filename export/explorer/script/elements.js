// Elements of the page: found by their id, or made.

export function find(id) {
  return document.getElementById(id);
}

/** Returns a new element with these properties; text children are allowed. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Says something below what it is about; nothing: takes it back. */
export function complain(id, words = "") {
  if (find(id).textContent !== words) find(id).textContent = words;
}

/** Returns a number as it is read: 2 digits, and a true minus sign. */
export function shown(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** Colours a slider's track from a value to where it stands. */
export function fill(slider, from) {
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const percents = [from, slider.valueAsNumber].map(
    (value) => 100 * (value - low) / (high - low));
  slider.style.setProperty("--from", `${Math.min(...percents)}%`);
  slider.style.setProperty("--to", `${Math.max(...percents)}%`);
}
