// @ts-check
/** Shares period by period, next to what chance returns. */

import { formatShare, makeTicks } from "./format.js";
import { s } from "./dom.js";

const [LEFT, RIGHT, TOP, PLOT, FOOT] = [42, 8, 10, 190, 26];

/**
 * @typedef {object} Point
 * @property {string} label
 * @property {number | null} value 0 to 1
 * @property {{label: string, expected: number, low: number, high: number}[]} bands
 * @property {number | null} ceiling
 */

/** @param {{points: Point[], width: number, label: string}} options */
export function drawSeries({ points, width, label }) {
  const ticks = makeTicks(Math.max(0.1, ...points.flatMap((each) => [each.value ?? 0, each.ceiling ?? 0, ...each.bands.map((band) => band.high)])), 5);
  const top = ticks[ticks.length - 1];
  const step = (width - LEFT - RIGHT) / Math.max(1, points.length);
  const base = TOP + PLOT;
  const y = (/** @type {number} */ share) => base - (share / top) * PLOT;
  const x = (/** @type {number} */ index) => LEFT + (index + 0.5) * step;
  const every = Math.ceil(points.length / Math.max(1, Math.floor((width - LEFT) / 62)));
  const bandWidth = Math.min(18, step * 0.3);
  const line = points.flatMap((each, index) => (each.value === null ? [] : [`${x(index)},${y(each.value)}`])).join(" ");
  return s("svg", { width, height: base + FOOT, role: "img", "aria-label": `${label}. ${points.map(describe).join(". ")}` },
    ...ticks.map((tick) => s("g", {},
      s("line", { class: tick ? "grid" : "axis", x1: LEFT, x2: width, y1: y(tick), y2: y(tick) }),
      s("text", { class: "bar-value", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, formatShare(tick)))),
    s("polyline", { class: "series-line", points: line }),
    ...points.map((each, index) => s("g", {},
      s("title", {}, describe(each)),
      s("rect", { class: "hit", x: LEFT + index * step, y: TOP, width: step, height: PLOT }),
      ...each.bands.map((band, order) => {
        const at = x(index) + (order - (each.bands.length - 1) / 2) * (bandWidth + 2);
        return s("g", {},
          s("rect", { class: order ? "band second" : "band", x: at - bandWidth / 2, y: y(band.high), width: bandWidth, height: Math.max(1.5, y(band.low) - y(band.high)), rx: 2 }),
          s("line", { class: "expected", x1: at - bandWidth / 2, x2: at + bandWidth / 2, y1: y(band.expected), y2: y(band.expected) }));
      }),
      each.ceiling !== null ? s("line", { class: "ceiling", x1: x(index) - bandWidth, x2: x(index) + bandWidth, y1: y(each.ceiling), y2: y(each.ceiling) }) : null,
      each.value === null ? null : s("circle", { class: "returned", cx: x(index), cy: y(each.value), r: 5 }),
      index % every === 0 ? s("text", { class: "tick", x: x(index), y: base + 18, "text-anchor": "middle" }, each.label) : null)));
}

/** @param {Point} point */
function describe(point) {
  const bands = point.bands.map((band) => `${band.label} ${formatShare(band.low)} to ${formatShare(band.high)}`);
  const most = point.ceiling === null ? [] : [`at most ${formatShare(point.ceiling)}`];
  return `${point.label}: ${[point.value === null ? "nothing was given" : `returned ${formatShare(point.value)}`, ...bands, ...most].join(", ")}`;
}
