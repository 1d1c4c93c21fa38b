// @ts-check
/** Figures in a row. */

import { formatCount, formatMinutes } from "./format.js";
import { h } from "./dom.js";

/** @param {{name: string, label: string, value: number, of: number | null, unit: string}[]} totals */
export function drawTotals(totals) {
  return h("dl", { class: "card totals" }, ...totals.map((total) => h("div", {},
    h("dt", {}, total.label), h("dd", { id: `total-${total.name}` },
      total.unit === "minutes" ? formatMinutes(total.value) : formatCount(total.value),
      total.of === null ? null : h("span", {}, ` of ${formatCount(total.of)}`)))));
}
