// From an image file of any size, or typed numbers, to an x of the model.

const FINEST = 16; // pixels drawn for each of x, a side, to average over
const LUMA = [0.299, 0.587, 0.114]; // ITU-R 601, as TensorFlow's grayscale

/**
 * Returns x, nested as the model takes it, of the middle of an image.
 *
 * Throws a DOMException where the file holds no image.
 */
export async function readImage(file, card, isInverted) {
  const bitmap = await createImageBitmap(file);
  const [height, width, channels] = card.event_shape;
  const finer = fineness(bitmap, width, height);
  const {data} = drawn(bitmap, width * finer, height * finer);
  const [low, high] = card.value_range ?? [0, 1];
  return Array.from({length: height}, (_, row) =>
    Array.from({length: width}, (_, column) => {
      const colour = mean(data, width * finer, row, column, finer).map(
        (value) => isInverted ? 1 - value : value);
      const levels = channels === 1 ? [luma(colour)]
        : Array.from({length: channels}, (_, index) => colour[index] ?? 1);
      return levels.map((level) => low + level * (high - low));
    }));
}

/** Returns how many pixels to draw, a side, for each of x. */
function fineness(bitmap, width, height) {
  const ratio = Math.min(bitmap.width / width, bitmap.height / height);
  return Math.min(FINEST, Math.max(1, Math.ceil(ratio)));
}

/** Returns the pixels of an image's middle, drawn at this size on white. */
function drawn(bitmap, width, height) {
  const scale = Math.min(bitmap.width / width, bitmap.height / height);
  const [w, h] = [width * scale, height * scale];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2,
    w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Returns the mean colour, 0 to 1, of a square of finer pixels. */
function mean(data, stride, row, column, size) {
  const sums = [0, 0, 0];
  for (let down = 0; down < size; down++) {
    for (let right = 0; right < size; right++) {
      const at = 4 * ((row * size + down) * stride + column * size + right);
      sums.forEach((_, channel) => sums[channel] += data[at + channel]);
    }
  }
  return sums.map((sum) => sum / (255 * size * size));
}

function luma(colour) {
  return colour.reduce((sum, value, index) => sum + LUMA[index] * value, 0);
}

/** Returns the numbers of a text, or null where it is not made of `count`. */
export function readNumbers(text, count) {
  const words = text.split(/[\s,;[\]]+/).filter(Boolean);
  const numbers = words.map(Number);
  const isRight = numbers.length === count && numbers.every(Number.isFinite);
  return isRight ? numbers : null;
}
