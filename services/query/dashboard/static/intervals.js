// @ts-check
/** Shares of contact days in the more frequent direction, with their intervals; half is even. */

import { cut } from "./text.js";
import { formatShare } from "./format.js";
import { s } from "./dom.js";

const HEIGHT = 22;
const ROW = 24;
const FOOT = 22;

/**
 * @typedef {object} IntervalRow
 * @property {string} giver
 * @property {string} receiver
 * @property {number} given_days
 * @property {number} received_days
 * @property {number | null} interval_low
 * @property {number | null} interval_high
 */

/** @param {IntervalRow} row */
function shareOf(row) {
  return Math.max(row.given_days, row.received_days) / Math.max(1, row.given_days + row.received_days);
}

/** @param {IntervalRow} row @param {number} width @returns {SVGElement} */
export function drawInterval(row, width) {
  return s("svg", { class: "interval", width, height: HEIGHT, role: "img", "aria-label": describe(row) }, drawMarks(row, 4, width - 8, HEIGHT / 2));
}

/** @param {IntervalRow} row */
function describe(row) {
  return `${formatShare(shareOf(row))}, between ${formatShare(row.interval_low ?? 0)} and ${formatShare(row.interval_high ?? 1)}`;
}

/** @param {IntervalRow} row @param {number} left @param {number} scale @param {number} y */
function drawMarks(row, left, scale, y) {
  const [low, high] = [row.interval_low ?? 0, row.interval_high ?? 1].map((share) => left + share * scale);
  return s("g", {},
    s("title", {}, describe(row)),
    s("line", { class: "grid", x1: left, x2: left + scale, y1: y, y2: y }),
    s("line", { class: "even", x1: left + scale / 2, x2: left + scale / 2, y1: y - 8, y2: y + 8 }),
    s("line", { class: "whisker", x1: low, x2: high, y1: y, y2: y }),
    s("circle", { class: "returned", cx: left + shareOf(row) * scale, cy: y, r: 4 }));
}

/** The intervals of several pairs, to take along. @param {IntervalRow[]} rows @param {number} width */
export function drawIntervals(rows, width) {
  const left = Math.round(width * 0.62);
  const scale = width - left - 20;
  const height = rows.length * ROW + FOOT;
  return s("svg", { width, height },
    ...rows.map((row, index) => s("g", {},
      s("text", { class: "bar-label", x: left - 14, y: index * ROW + 16, "text-anchor": "end" }, cut(`${row.giver} to ${row.receiver}`, left - 16)),
      row.interval_low === null ? null : drawMarks(row, left, scale, index * ROW + 12))),
    ...[0, 0.5, 1].map((tick) => s("text", { class: "tick", x: left + tick * scale, y: height - 4, "text-anchor": "middle" }, formatShare(tick))));
}
