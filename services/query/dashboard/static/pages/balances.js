// @ts-check
/** Given and received by each organization, and the months of one of them. */

import { card } from "../card.js";
import { drawBars } from "../bars.js";
import { drawTrendCard } from "../trend.js";
import { moreButton } from "../controls.js";
import { h, name, replace } from "../dom.js";

export const parts = ["trend"];
const FEW = 20;

/**
 * @param {Element} host
 * @param {import("../app.js").Page} page
 */
export function mount(host, page) {
  let isWhole = false;

  /** @param {import("../app.js").Answers} answers */
  function update({ balances, trend }) {
    const { rows } = balances.data;
    const selected = trend?.data.selected;
    const found = rows.findIndex((/** @type {{id: string}} */ row) => row.id === selected?.id);
    const shown = isWhole || found >= FEW ? rows : rows.slice(0, FEW);
    const hidden = rows.length - shown.length;
    const isMinutes = page.isMinutes;
    const hasUnknown = shown.some((/** @type {{unknown_count: number}} */ row) => row.unknown_count);
    replace(host, h("div", { class: "grid balances" },
      card({
        key: "given-and-received", title: "Given and received", answer: balances, size: "wide",
        note: balances.data.note + (hasUnknown ? " * Some of its exchanges have no minutes, so its bars may be short." : ""),
        empty: rows.length ? "" : "No exchange matches. Clear a filter, or choose more months.",
        chart: (width) => drawBars({
          rows: shown, width, isMinutes, selected: selected?.id,
          onselect: (id) => page.go({ organization: id === selected?.id ? null : id }),
        }),
        below: [hidden > 0 ? h("p", {}, moreButton(hidden, "show-all", () => {
          isWhole = true;
          update({ balances, trend });
        })) : null],
        table: () => ({
          columns: ["organization_id", "organization", "given", "received", "net", "exchange_count", "joint_count", "unknown_count"],
          rows: rows.map((/** @type {any} */ row) => [row.id, row.label, row.given, row.received, row.net, row.exchange_count, row.joint_count, row.unknown_count]),
        }),
      }),
      h("div", { class: "stack" },
        selected ? drawTrendCard(trend, page, {
          title: `${selected.label}, by month`,
          below: [h("p", {}, h("a", { href: page.address({ view: "organization" }) }, "Partners, topics and exchanges of it"))],
        }) : card({
          key: "trend", title: "Months of one organization", answer: null,
          empty: "Choose an organization, in the chart or in the filters, to see its months.",
        }),
        drawSilent(balances, page))));
  }

  return { update };
}

/**
 * @param {import("../answers.js").Answer} balances
 * @param {import("../app.js").Page} page
 */
function drawSilent(balances, page) {
  const { silent } = balances.data;
  return silent.length ? card({
    key: "none", title: "Without an exchange here", answer: balances,
    note: "They may share in ways that nobody recorded, or that the filters leave out.",
    body: [h("ul", { class: "names" }, ...silent.map((/** @type {any} */ each) => h("li", {},
      h("a", { href: page.address({ view: "organization", organization: each.id }) }, name(each.label)))))],
    table: () => ({ columns: ["organization_id", "organization"], rows: silent.map((/** @type {any} */ each) => [each.id, each.label]) }),
  }) : null;
}
