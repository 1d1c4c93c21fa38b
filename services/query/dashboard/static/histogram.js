// @ts-check
/** The months of a programme as columns, and the two handles that choose some of them. */

import { formatShortMonth } from "./format.js";
import { h, onWidth, replace, s } from "./dom.js";

const HEIGHT = 44;
const HALF_THUMB = 9;

/** @typedef {{month: string, exchange_count: number}} Month */

/**
 * @param {object} options
 * @param {Month[]} options.months
 * @param {number} options.start index of the first month shown
 * @param {number} options.end index after the last month shown
 * @param {(start: number, end: number) => void} options.onselect
 * @returns {HTMLElement}
 */
export function monthRange({ months, start, end, onselect }) {
  const columns = h("div", { class: "columns" });
  const value = h("strong", { "aria-hidden": "true" });
  const first = slider("First month shown", start, 0);
  const last = slider("Last month shown", end, 1);

  /**
   * @param {string} label
   * @param {number} at
   * @param {number} least
   */
  function slider(label, at, least) {
    return /** @type {HTMLInputElement} */ (h("input", {
      type: "range", min: 0, max: months.length, step: 1, value: at, "aria-label": label,
      "data-key": `range-${least}`, oninput: move, onchange: commit,
    }));
  }

  /** @param {Event} event */
  function move(event) {
    const [a, b] = [Number(first.value), Number(last.value)];
    if (a >= b) {
      if (event.target === first) first.value = String(b - 1);
      else last.value = String(a + 1);
    }
    show();
  }

  function commit() {
    onselect(Number(first.value), Number(last.value));
  }

  function show() {
    const [a, b] = [Number(first.value), Number(last.value)];
    const from = formatShortMonth(months[a].month);
    const to = formatShortMonth(months[b - 1].month);
    value.textContent = from === to ? from : `${from} to ${to}`;
    first.setAttribute("aria-valuetext", from);
    last.setAttribute("aria-valuetext", to);
    columns.querySelectorAll("rect").forEach((column, index) => {
      column.setAttribute("class", index >= a && index < b ? "month chosen" : "month");
    });
  }

  onWidth(columns, (width) => {
    replace(columns, drawColumns(months, width));
    show();
  });
  show();
  return h("div", { class: "months", role: "group", "aria-label": "Months shown" },
    h("p", { class: "months-label" }, h("span", {}, "Months shown"), value),
    h("div", { class: "range" }, columns, first, last));
}

/**
 * @param {Month[]} months
 * @param {number} width
 */
function drawColumns(months, width) {
  const most = Math.max(1, ...months.map((month) => month.exchange_count));
  const step = (width - 2 * HALF_THUMB) / months.length;
  const gap = step > 6 ? Math.min(6, step / 4) : 0.5;
  return s("svg", { width, height: HEIGHT, "aria-hidden": "true" }, ...months.map((month, index) => {
    const height = month.exchange_count ? Math.max(2, (month.exchange_count / most) * HEIGHT) : 0;
    return s("rect", {
      class: "month", x: HALF_THUMB + index * step + gap / 2, y: HEIGHT - height,
      width: Math.max(0.5, step - gap), height,
    });
  }));
}
