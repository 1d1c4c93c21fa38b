// @ts-check
/** Widths of text in pixels, so that labels end before they meet something. */

const canvas = document.createElement("canvas").getContext("2d");
let family = "";

/**
 * @param {string} text
 * @param {number} [size] in pixels
 * @param {number} [weight]
 */
export function measure(text, size = 13, weight = 400) {
  family ||= getComputedStyle(document.body).fontFamily;
  if (!canvas) return text.length * size * 0.55;
  canvas.font = `${weight} ${size}px ${family}`;
  return canvas.measureText(text).width;
}

/**
 * The text, ended with an ellipsis where it is wider.
 * @param {string} text
 * @param {number} width in pixels
 * @param {number} [size]
 * @param {number} [weight]
 */
export function cut(text, width, size = 13, weight = 400) {
  if (measure(text, size, weight) <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(`${text.slice(0, middle).trimEnd()}…`, size, weight) <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low).trimEnd()}…`;
}
