// @ts-check
/** How long ago two organizations last had contact, and on which rungs, as small charts. */

import { cut } from "./text.js";
import { s } from "./dom.js";

const HEIGHT = 20;
const ROW = 24;
const HEAD = 20;
const MOST_DAYS = 180;
const STEP = 9;

/**
 * @typedef {object} ContactRow
 * @property {{label: string}[]} sides
 * @property {number | null} days_ago
 * @property {boolean} is_exact
 * @property {boolean} is_quiet
 * @property {number[]} rungs
 * @property {number | null} rung
 * @property {string} rung_label
 */

/**
 * The days since the last contact on a scale whose tick is at `quietDays`.
 * @param {ContactRow} row @param {number} quietDays @param {number} width
 */
export function drawContact(row, quietDays, width) {
  return s("svg", { class: "contact", width, height: HEIGHT, "aria-hidden": "true" }, drawMarks(row, quietDays, 5, width - 10, HEIGHT / 2));
}

/** @param {ContactRow} row @param {number} quietDays @param {number} left @param {number} scale @param {number} y */
function drawMarks(row, quietDays, left, scale, y) {
  const at = left + (Math.min(row.days_ago ?? 0, MOST_DAYS) / MOST_DAYS) * scale;
  const tick = left + (quietDays / MOST_DAYS) * scale;
  const isBeyond = (row.days_ago ?? 0) > MOST_DAYS;
  return s("g", {},
    s("line", { class: "grid", x1: left, x2: left + scale, y1: y, y2: y }),
    s("line", { class: "even", x1: tick, x2: tick, y1: y - 8, y2: y + 8 }),
    row.days_ago === null ? null : s("line", { class: "whisker", x1: left, x2: at, y1: y, y2: y }),
    row.days_ago === null ? null : isBeyond
      ? s("path", { class: "beyond", d: `M${at - 6} ${y - 5}L${at + 2} ${y}L${at - 6} ${y + 5}` })
      : s("circle", { class: row.is_quiet ? "hollow" : "returned", cx: at, cy: y, r: 4 }));
}

/**
 * Six steps, filled where there are exchanges of that rung.
 * @param {{rungs: number[]}} row
 */
export function drawRungs(row) {
  const { rungs } = row;
  return s("svg", { class: "rungs", width: rungs.length * STEP, height: HEIGHT, "aria-hidden": "true" },
    ...rungs.map((count, index) => {
      const height = 4 + index * 3;
      return s("rect", { class: count ? "rung used" : "rung", x: index * STEP + 0.5, y: HEIGHT - height - 0.5, width: STEP - 3, height });
    }));
}

/**
 * The days since the last contact of several pairings, to take along.
 * @param {ContactRow[]} rows @param {number} quietDays @param {number} width
 */
export function drawContacts(rows, quietDays, width) {
  const left = Math.round(width * 0.6);
  const scale = width - left - 100;
  const height = HEAD + rows.length * ROW + 22;
  const end = left + scale;
  return s("svg", { width, height },
    s("text", { class: "axis-label", x: left, y: 12 }, "Days since the last contact"),
    ...rows.map((row, index) => s("g", {},
      s("text", { class: "bar-label", x: left - 14, y: HEAD + index * ROW + 16, "text-anchor": "end" }, cut(row.sides.map((side) => side.label).join(" and "), left - 16)),
      drawMarks(row, quietDays, left, scale, HEAD + index * ROW + 12),
      s("text", { class: "bar-value", x: end + 12, y: HEAD + index * ROW + 16 }, row.days_ago === null ? "none here" : `${row.is_exact ? "" : "≤ "}${row.days_ago}`))),
    ...[0, quietDays, MOST_DAYS].map((tick) => s("text", { class: "tick", x: left + (tick / MOST_DAYS) * scale, y: height - 6, "text-anchor": "middle" }, String(tick))));
}
