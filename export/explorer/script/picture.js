// Draws one x on a canvas: an image by its pixels, a vector as bars or a line.

const WRONG = [214, 64, 160]; // where there is no number
const MOST_BARS = 64;
const VECTOR_SIZE = [480, 240];

/** Draws x; returns what must be said of it, or "". */
export function draw(canvas, x, card) {
  const values = x.flat(Infinity).map((value) => value ?? NaN);
  const range = rangeOf(values, card);
  if (card.is_image) drawImage(canvas, values, card.event_shape, range);
  else drawVector(canvas, values, range);
  return notes(values, range, card);
}

// Of a model whose x may be any number, the widest range so far: were it each
// picture's own, no two could be compared.
const widest = [-1, 1];

/** Returns [lowest, highest]: from black to white, from bottom to top. */
function rangeOf(values, {value_range: range}) {
  if (range) return range;
  const finite = values.filter(Number.isFinite);
  widest[0] = Math.min(widest[0], -roundedUp(-Math.min(-1, ...finite)));
  widest[1] = Math.max(widest[1], roundedUp(Math.max(1, ...finite)));
  return [...widest];
}

/** Returns the next of 1, 2 and 5 times a power of 10. */
function roundedUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((factor) => factor * power >= value) * power;
}

function notes(values, [low, high], {value_range: range, is_image: isImage}) {
  const wrong = values.filter((value) => !Number.isFinite(value)).length;
  const [from, to] = [low, high].map((end) => Number(end.toPrecision(3)));
  const extent = `from ${from} to ${to}`;
  const span = isImage ? `Shades ${extent}.` : `Axis ${extent}.`;
  return [
    range && isImage ? "" : span.replaceAll("-", "−"),
    wrong ? `${wrong} of ${values.length} values are no finite numbers.` : "",
  ].join(" ").trim();
}

function drawImage(canvas, values, [height, width, channels], [low, high]) {
  resize(canvas, width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const colour = [0, 1, 2].map((channel) => values[
      pixel * channels + (channels < 3 ? 0 : channel)]);
    const bytes = colour.every(Number.isFinite)
      ? colour.map((value) => Math.round(255 * (value - low) / (high - low)))
      : WRONG;
    image.data.set([...bytes, 255], 4 * pixel); // clamped to 0..255
  }
  context.putImageData(image, 0, 0);
}

function drawVector(canvas, values, [low, high]) {
  const [width, height] = VECTOR_SIZE;
  resize(canvas, width, height);
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const [ink, line] = ["--accent", "--line"].map(
    (name) => style.getPropertyValue(name));
  const y = (value) => height - 2 - (height - 4) *
    Math.min(1.02, Math.max(-0.02, (value - low) / (high - low)));
  context.clearRect(0, 0, width, height);
  context.fillStyle = line;
  context.fillRect(0, y(0) - 1, width, 2);
  context.fillStyle = context.strokeStyle = ink;
  if (values.length > MOST_BARS) drawLine(context, values, y);
  else drawBars(context, values, y);
}

function drawBars(context, values, y) {
  const step = VECTOR_SIZE[0] / values.length;
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value)) continue;
    context.fillRect(
      (index + 0.1) * step, y(value), 0.8 * step, y(0) - y(value));
  }
}

function drawLine(context, values, y) {
  const step = VECTOR_SIZE[0] / (values.length - 1);
  context.lineWidth = 2;
  context.beginPath();
  for (const [index, value] of values.entries()) {
    if (Number.isFinite(value)) context.lineTo(index * step, y(value));
  }
  context.stroke();
}

/** Sets a canvas's size, which would also wipe it, only where it changes. */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
