// @ts-check
/** Bars of which a part is missing: the filled part. */

import { cut, measure } from "./text.js";
import { formatCount } from "./format.js";
import { s } from "./dom.js";

const ROW = 24;
const BAR = 14;
const VALUE = 110;
const MOST_LABEL = 0.42;

/**
 * @typedef {object} MissingPart
 * @property {string} id
 * @property {string} label
 * @property {number} missing_count
 * @property {number} exchange_count
 */

/**
 * @param {object} options
 * @param {MissingPart[]} options.rows
 * @param {number} options.width
 * @param {string} options.label
 * @param {(id: string) => string} options.address of the view behind a row
 */
export function drawParts({ rows, width, label, address }) {
  const labels = Math.min(width * MOST_LABEL, Math.max(60, ...rows.map((each) => measure(each.label) + 12)));
  const most = Math.max(1, ...rows.map((each) => each.exchange_count));
  const scale = Math.max(20, width - labels - VALUE) / most;
  return s("svg", { width, height: rows.length * ROW + 4, role: "group", "aria-label": label },
    ...rows.map((each, index) => {
      const top = index * ROW;
      const y = top + (ROW - BAR) / 2;
      const whole = each.exchange_count * scale;
      const words = `${each.label}: ${formatCount(each.missing_count)} of ${formatCount(each.exchange_count)}`;
      return s("a", { class: "part-row", href: address(each.id), "aria-label": words, "data-key": `part-${each.id}` },
        s("title", {}, words),
        s("rect", { class: "hit", x: 0, y: top, width, height: ROW, rx: 4 }),
        s("text", { class: "bar-label", x: labels - 8, y: y + 11, "text-anchor": "end" }, cut(each.label, labels - 10)),
        s("rect", { class: "whole", x: labels, y: y + 0.5, width: Math.max(1, whole), height: BAR - 1 }),
        s("rect", { class: "missing", x: labels, y, width: each.missing_count * scale, height: BAR }),
        s("text", { class: "bar-value", x: labels + whole + 8, y: y + 11 }, `${formatCount(each.missing_count)} of ${formatCount(each.exchange_count)}`));
    }));
}
