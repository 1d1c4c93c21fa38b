// @ts-check
/** The card of what one organization gave and received by month. */

import { card } from "./card.js";
import { drawTrend } from "./bars.js";

/**
 * @param {import("./answers.js").Answer} trend
 * @param {import("./app.js").Page} page
 * @param {{title: string, below?: (Node | null)[]}} options
 */
export function drawTrendCard(trend, page, { title, below = [] }) {
  const { selected, months } = trend.data;
  const isActive = months.some((/** @type {any} */ month) => month.given || month.received);
  return card({
    key: "trend", title, answer: trend, below,
    empty: isActive ? "" : "It neither gave nor received in these months.",
    chart: (width) => drawTrend({ months, width, isMinutes: page.isMinutes, label: `What ${selected.label} gave and received by month` }),
    table: () => ({ columns: ["month", "given", "received"], rows: months.map((/** @type {any} */ month) => [month.month, month.given, month.received]) }),
  });
}
