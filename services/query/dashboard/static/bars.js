// @ts-check
/** Bars to both sides of an axis: what each organization received and gave. */

import { formatAmount, makeTicks } from "./format.js";
import { cut, measure } from "./text.js";
import { pressInListbox } from "./listbox.js";
import { s } from "./dom.js";

const ROW = 22;
const TALL_ROW = 40;
const BAR = 14;
const TOP = 24;
const NARROW = 620;
const MOST_LABEL = 300;

/**
 * @typedef {object} BarRow
 * @property {string} id
 * @property {string} label
 * @property {number | null} given
 * @property {number | null} received
 * @property {number} unknown_count
 */

/**
 * @param {object} options
 * @param {BarRow[]} options.rows
 * @param {number} options.width
 * @param {boolean} options.isMinutes
 * @param {string | undefined} options.selected
 * @param {(id: string) => void} options.onselect
 * @param {string} [options.label] what the rows are
 * @returns {SVGElement}
 */
export function drawBars({ rows, width, isMinutes, selected, onselect, label = "Organizations, by what they gave and received" }) {
  const isNarrow = width < NARROW;
  const row = isNarrow ? TALL_ROW : ROW;
  const labels = isNarrow ? 0 : Math.min(MOST_LABEL, width * 0.36, Math.max(100, ...rows.map((each) => measure(mark(each), 13, 600) + 12)));
  const room = 58;
  const most = Math.max(1e-9, ...rows.flatMap((each) => [each.given ?? 0, each.received ?? 0]));
  const left = Math.max(...rows.map((each) => each.received ?? 0)) / most;
  const right = Math.max(...rows.map((each) => each.given ?? 0)) / most;
  const scale = Math.max(20, width - labels - 2 * room) / Math.max(0.1, left + right);
  const axis = labels + room + left * scale;
  const height = TOP + rows.length * row + 4;
  const focused = Math.max(0, rows.findIndex((each) => each.id === selected));
  return s("svg", {
    width, height, role: "listbox", "aria-label": label,
    onkeydown: /** @type {EventListener} */ ((/** @type {KeyboardEvent} */ event) => pressInListbox(event, (index) => onselect(rows[index].id))),
  },
    s("text", { class: "axis-label", x: axis - 8, y: 14, "text-anchor": "end" }, "Received"),
    s("text", { class: "axis-label", x: axis + 8, y: 14 }, "Gave"),
    ...rows.map((each, index) => drawRow(each, index)));

  /** @param {BarRow} each @param {number} index */
  function drawRow(each, index) {
    const top = TOP + index * row;
    const y = top + (isNarrow ? 22 : (row - BAR) / 2);
    const [given, received] = [(each.given ?? 0) * scale / most, (each.received ?? 0) * scale / most];
    const isSelected = each.id === selected;
    const words = `${each.label}: gave ${formatAmount(each.given, isMinutes)}, received ${formatAmount(each.received, isMinutes)}`
      + (each.unknown_count ? `; ${each.unknown_count} without minutes` : "");
    return s("g", {
      class: isSelected ? "bar-row selected" : "bar-row", role: "option",
      "aria-selected": isSelected ? "true" : "false", "aria-label": words,
      tabindex: index === focused ? 0 : -1, "data-key": `bar-${each.id}`, onclick: () => onselect(each.id),
    },
      s("title", {}, words),
      s("rect", { class: "hit", x: 0, y: top, width, height: row, rx: 4 }),
      isNarrow
        ? s("text", { class: "bar-label", x: 4, y: top + 15 }, cutMarked(each, width - 8))
        : s("text", { class: "bar-label", x: labels - 8, y: y + 11, "text-anchor": "end" }, cutMarked(each, labels - 10)),
      s("rect", { class: "received", x: axis - received, y, width: received, height: BAR }),
      s("rect", { class: "gave", x: axis, y, width: given, height: BAR }),
      s("text", { class: "bar-value", x: axis - received - 5, y: y + 11, "text-anchor": "end" }, formatAmount(each.received, isMinutes)),
      s("text", { class: "bar-value", x: axis + given + 5, y: y + 11 }, formatAmount(each.given, isMinutes)),
      s("line", { class: "axis", x1: axis, x2: axis, y1: isNarrow ? y - 2 : top, y2: isNarrow ? y + BAR + 2 : top + row }));
  }
}

/** @param {BarRow} row */
function mark(row) {
  return row.unknown_count ? `${row.label} *` : row.label;
}

/**
 * The label with its mark, which stays where the label is cut.
 * @param {BarRow} row
 * @param {number} width
 */
function cutMarked(row, width) {
  return row.unknown_count ? `${cut(row.label, width - 12, 13, 600)} *` : cut(row.label, width, 13, 600);
}

/**
 * Months of one organization: what it gave above the line, what it received below.
 * @param {object} options
 * @param {{month: string, given: number | null, received: number | null}[]} options.months
 * @param {number} options.width
 * @param {boolean} options.isMinutes
 * @param {string} options.label
 */
export function drawTrend({ months, width, isMinutes, label }) {
  const [left, top, plot, foot] = [52, 24, 160, 22];
  const gave = Math.max(0, ...months.map((each) => each.given ?? 0));
  const received = Math.max(0, ...months.map((each) => each.received ?? 0));
  const steps = makeTicks(Math.max(gave, received), 3, isMinutes);
  const above = steps.filter((tick, index) => tick && steps[index - 1] < gave);
  const below = steps.filter((tick, index) => tick && steps[index - 1] < received);
  const scale = plot / ((above.at(-1) ?? 0) + (below.at(-1) ?? 0));
  const middle = top + (above.at(-1) ?? 0) * scale;
  const step = (width - left - 8) / Math.max(1, months.length);
  const every = Math.ceil(months.length / Math.max(1, Math.floor((width - left) / 46)));
  const height = top + plot + foot;
  return s("svg", { width, height, role: "img", "aria-label": label },
    s("text", { class: "axis-label", x: left, y: 12 }, "Gave, above the line; received, below"),
    ...[0, ...above, ...below.map((tick) => -tick)].map((tick) => s("g", {},
      s("line", { class: tick === 0 ? "axis" : "grid", x1: left, x2: width - 4, y1: middle - tick * scale, y2: middle - tick * scale }),
      s("text", { class: "bar-value", x: left - 6, y: middle - tick * scale + 4, "text-anchor": "end" }, formatAmount(Math.abs(tick), isMinutes)))),
    ...months.map((each, index) => {
      const x = left + index * step + step * 0.15;
      const [given, received] = [(each.given ?? 0) * scale, (each.received ?? 0) * scale];
      return s("g", {},
        s("title", {}, `${each.month}: gave ${formatAmount(each.given, isMinutes)}, received ${formatAmount(each.received, isMinutes)}`),
        s("rect", { class: "gave", x, y: middle - given, width: step * 0.7, height: given }),
        s("rect", { class: "received", x, y: middle, width: step * 0.7, height: received }),
        index % every === 0 ? s("text", { class: "tick", x: x + step * 0.35, y: height - 6, "text-anchor": "middle" }, each.month.slice(2)) : null);
    }));
}
