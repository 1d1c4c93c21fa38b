// @ts-check
/** Charts as pictures that look the same outside the page: SVG with its styles inside, and PNG. */

import { s } from "./dom.js";

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity",
  "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-weight", "font-variant-numeric",
  "text-anchor", "paint-order", "visibility"];
const FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const INK = "#1B2733";
const SECONDARY = "#5A6875";
const MARGIN = 24;
const LINE = 17;

/**
 * @typedef {object} Caption
 * @property {string} title
 * @property {string} question
 * @property {string} coverage
 */

/**
 * The chart with title and question above it, and what it rests on below.
 * @param {SVGSVGElement} chart
 * @param {Caption} caption
 * @returns {{text: string, width: number, height: number}}
 */
export function toSvg(chart, caption) {
  const box = chart.getBoundingClientRect();
  const chartWidth = Math.ceil(box.width);
  const chartHeight = Math.ceil(box.height);
  const width = chartWidth + 2 * MARGIN;
  const letters = Math.max(20, Math.floor(chartWidth / 6.2));
  const above = wrap(caption.question, letters);
  const below = wrap(caption.coverage, letters);
  const top = MARGIN + 26 + above.length * LINE + 14;
  const height = top + chartHeight + 14 + below.length * LINE + MARGIN;
  const copy = /** @type {SVGSVGElement} */ (chart.cloneNode(true));
  inlineStyles(chart, copy);
  copy.setAttribute("x", String(MARGIN));
  copy.setAttribute("y", String(top));
  copy.setAttribute("width", String(chartWidth));
  copy.setAttribute("height", String(chartHeight));
  const picture = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": FONT },
    s("rect", { width, height, fill: "#FFFFFF" }),
    s("text", { x: MARGIN, y: MARGIN + 16, "font-size": 18, "font-weight": 600, fill: INK }, caption.title),
    ...above.map((line, index) => s("text",
      { x: MARGIN, y: MARGIN + 40 + index * LINE, "font-size": 13, fill: SECONDARY }, line)),
    copy,
    ...below.map((line, index) => s("text",
      { x: MARGIN, y: top + chartHeight + 26 + index * LINE, "font-size": 12, fill: SECONDARY }, line)));
  return { text: new XMLSerializer().serializeToString(picture), width, height };
}

/**
 * @param {SVGSVGElement} chart
 * @param {Caption} caption
 */
export function toSvgBlob(chart, caption) {
  return new Blob([toSvg(chart, caption).text], { type: "image/svg+xml" });
}

/**
 * Twice the size, so that it is sharp on paper and on slides.
 * @param {SVGSVGElement} chart
 * @param {Caption} caption
 * @returns {Promise<Blob>}
 */
export async function toPngBlob(chart, caption) {
  const { text, width, height } = toSvg(chart, caption);
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * @param {Element} from
 * @param {Element} to
 */
function inlineStyles(from, to) {
  const style = getComputedStyle(from);
  for (const property of STYLES) to.setAttribute(property, style.getPropertyValue(property));
  for (const attribute of ["class", "tabindex", "role", "style", "data-key"]) to.removeAttribute(attribute);
  const children = [...from.children];
  [...to.children].forEach((child, index) => inlineStyles(children[index], child));
}

/**
 * @param {string} text
 * @param {number} letters
 */
function wrap(text, letters) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last].length + word.length < letters) lines[last] += ` ${word}`;
    else lines.push(word.slice(0, letters));
  }
  return lines;
}
