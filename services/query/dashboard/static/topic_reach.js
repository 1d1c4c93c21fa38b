// @ts-check
/** Bars that fill a part of the same length: how many organizations received on each topic. */

import { cut, measure } from "./text.js";
import { formatCount } from "./format.js";
import { pressInListbox } from "./listbox.js";
import { s } from "./dom.js";

const ROW = 26;
const TALL_ROW = 44;
const BAR = 14;
const TOP = 24;
const NARROW = 620;
const MOST_LABEL = 260;

/**
 * @typedef {object} TopicRow
 * @property {string} topic
 * @property {string} label
 * @property {number} receiver_count
 * @property {number[]} givers
 */

/**
 * @param {object} options
 * @param {TopicRow[]} options.rows
 * @param {number} options.whole organizations that can have received
 * @param {number} options.width
 * @param {string} options.selected
 * @param {(topic: string) => void} options.onselect
 * @param {string} options.label what the rows are
 * @returns {SVGElement}
 */
export function drawTopicReach({ rows, whole, width, selected, onselect, label }) {
  const isNarrow = width < NARROW;
  const row = isNarrow ? TALL_ROW : ROW;
  const labels = isNarrow ? 0 : Math.min(MOST_LABEL, width * 0.36, Math.max(90, ...rows.map((each) => measure(each.label, 13, 600) + 20)));
  const counts = measure(countOf(whole), 12) + 18;
  const givers = measure("88,888 give", 12) + 8;
  const length = Math.max(40, width - labels - counts - givers);
  const focused = Math.max(0, rows.findIndex((each) => each.topic === selected));
  const height = TOP + rows.length * row + 4;
  return s("svg", {
    width, height, role: "listbox", "aria-label": label,
    onkeydown: /** @type {EventListener} */ ((/** @type {KeyboardEvent} */ event) => pressInListbox(event, (index) => onselect(rows[index].topic))),
  },
    s("text", { class: "axis-label", x: labels, y: 14 }, "Have received"),
    s("text", { class: "axis-label", x: width - 4, y: 14, "text-anchor": "end" }, "Give"),
    ...rows.map((each, index) => drawRow(each, index)));

  /** @param {number} count */
  function countOf(count) {
    return `${formatCount(count)} of ${formatCount(whole)}`;
  }

  /** @param {TopicRow} each @param {number} index */
  function drawRow(each, index) {
    const top = TOP + index * row;
    const y = top + (isNarrow ? 23 : (row - BAR) / 2);
    const isSelected = each.topic === selected;
    const filled = whole ? (each.receiver_count / whole) * length : 0;
    const words = `${each.label}: ${countOf(each.receiver_count)} have received, ${formatCount(each.givers.length)} ${each.givers.length === 1 ? "gives" : "give"}`;
    return s("g", {
      class: isSelected ? "bar-row selected" : "bar-row", role: "option",
      "aria-selected": isSelected ? "true" : "false", "aria-label": words,
      tabindex: index === focused ? 0 : -1, "data-key": `topic-${each.topic}`, onclick: () => onselect(each.topic),
    },
      s("title", {}, words),
      s("rect", { class: "hit", x: 0, y: top, width, height: row, rx: 4 }),
      s("text", { class: each.topic ? "bar-label" : "bar-label any", x: isNarrow ? 4 : 6, y: isNarrow ? top + 16 : y + 11 },
        cut(each.label, (isNarrow ? width : labels) - 14, 13, 600)),
      s("rect", { class: "reach-whole", x: labels + (isNarrow ? 4 : 0) + 0.5, y: y + 0.5, width: length - 1, height: BAR - 1 }),
      s("rect", { class: "received", x: labels + (isNarrow ? 4 : 0), y, width: filled, height: BAR }),
      s("text", { class: "bar-value", x: labels + length + 10, y: y + 11 }, countOf(each.receiver_count)),
      s("text", { class: "bar-value", x: width - 4, y: y + 11, "text-anchor": "end" }, formatCount(each.givers.length)));
  }
}
