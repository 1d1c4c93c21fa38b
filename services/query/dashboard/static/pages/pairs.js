// @ts-check
/** Pairs in which one side gave more, with what the contact days say, how rich it is, and what comes back. */

import { card } from "../card.js";
import { drawChoice, moreButton } from "../controls.js";
import { drawRungs } from "../contact.js";
import { EXCHANGE_COLUMNS, drawExchange, toExchangeCells } from "../exchanges.js";
import { formatAmount, formatProbability } from "../format.js";
import { h, name, replace } from "../dom.js";
import { drawInterval, drawIntervals } from "../intervals.js";

export const parts = ["pair"];
const IN_PICTURE = 25;
const FEW = 20;
const EVIDENCES = [
  ["enough", "6 contact days or more"],
  ["clear", "clearer than chance (q up to 0.05)"],
  ["every", "any, also too little to say"],
];
const ONE_SIDED = "interval_low desc, contact_days desc";
const ORDERS = [
  [ONE_SIDED, "most one-sided days first"],
  ["interval_low, contact_days", "least one-sided days first"],
  ["net desc", "largest difference first"],
  ["net", "smallest difference first"],
  ["contact_days desc", "most contact days first"],
  ["q_value", "smallest q first"],
];
/** Columns that can be sorted, by the field that sorts them. */
const COLUMNS = [
  { label: "Pair", field: "" },
  { label: "Gave, came back", field: "net" },
  { label: "Days each way", field: "contact_days" },
  { label: "Share of days, 95%", field: "interval_low" },
  { label: "p", field: "p_value" },
  { label: "q", field: "q_value" },
  { label: "Highest rung of 6", field: "" },
  { label: "Paid back by others", field: "" },
];

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  let shown = "";
  let isWhole = false;

  /** @param {import("../app.js").Answers} answers */
  function update({ pairs, pair }) {
    const { data } = pairs;
    const { rows } = data;
    const [giver, receiver] = [page.state.values.giver?.[0], page.state.values.receiver?.[0]];
    const selected = rows.findIndex((/** @type {any} */ row) => row.giver_id === giver && row.receiver_id === receiver);
    const first = isWhole || selected >= FEW ? rows : rows.slice(0, FEW);
    replace(host, h("div", { class: "grid pairs-view" },
      card({
        key: "pairs", title: "One-sided pairs", answer: pairs,
        note: `${data.note} Days count rather than exchanges, because exchanges come in bursts. q is p after asking of every pair at once.`,
        body: [
          h("div", { class: "tools" },
            drawChoice(page, "Evidence", "evidence", EVIDENCES, data.evidence),
            drawChoice(page, "Order", "order", ORDERS.some(([order]) => order === data.order) ? ORDERS : [[data.order, "as chosen in the table"], ...ORDERS], data.order)),
          rows.length ? drawTable(first, data.order, rows[selected]) : h("p", { class: "empty" }, "No pair has so many contact days. Choose other evidence or more months, or clear a filter."),
          first.length < rows.length ? h("p", {}, moreButton(rows.length - first.length, "show-all", () => {
            isWhole = true;
            update({ pairs, pair });
          })) : null,
          data.has_more ? h("p", { class: "note" }, "There are more pairs; these are the first in this order.") : null,
        ],
        picture: rows.length ? (width) => drawIntervals(rows.slice(0, IN_PICTURE), width) : undefined,
        table: () => ({
          columns: ["giver_id", "giver", "receiver_id", "receiver", "given", "received", "given_days", "received_days", "undated_count",
            "p_value", "q_value", "interval_low", "interval_high", "direction_differs", "highest_rung", "paid_back", "path", "reason"],
          rows: rows.map((/** @type {any} */ row) => [row.giver_id, row.giver, row.receiver_id, row.receiver, row.given, row.received,
            row.given_days, row.received_days, row.undated_count, row.p_value, row.q_value, row.interval_low, row.interval_high,
            String(row.direction_differs), row.rung, row.paid_back, row.path.map((/** @type {any} */ each) => each.id).join(" > "), row.reason]),
        }),
      }),
      pair ? drawPair(pair, rows[selected]) : null));
    const selection = giver && receiver ? `${giver}\n${receiver}` : "";
    if (pair && selection !== shown) {
      shown = selection;
      if (selection && !matchMedia("(min-width: 1101px)").matches) host.querySelector("#card-pair")?.scrollIntoView();
    }
  }

  /** @param {any[]} rows @param {string} order @param {any} selected */
  function drawTable(rows, order, selected) {
    return h("table", { class: "pair-table" },
      h("thead", {}, h("tr", {}, ...COLUMNS.map((column) => drawHead(column, order)))),
      h("tbody", {}, ...rows.map((row) => drawRow(row, row === selected))));
  }

  /** @param {{label: string, field: string}} column @param {string} order */
  function drawHead({ label, field }, order) {
    if (!field) return h("th", { scope: "col" }, label);
    const [first, way] = order.split(",")[0].trim().split(/\s+/);
    const isSorted = first === field;
    const next = isSorted ? (way === "desc" ? field : `${field} desc`) : field === "p_value" || field === "q_value" ? field : `${field} desc`;
    return h("th", { scope: "col", "aria-sort": isSorted ? (way === "desc" ? "descending" : "ascending") : null },
      h("button", { type: "button", class: "sort", "data-key": `sort-${field}`, onclick: () => page.go({ order: next }) },
        label, isSorted ? h("span", { "aria-hidden": "true" }, way === "desc" ? " ↓" : " ↑") : null));
  }

  /** @param {any} row @param {boolean} isSelected */
  function drawRow(row, isSelected) {
    const target = isSelected ? { giver: null, receiver: null } : { giver: row.giver_id, receiver: row.receiver_id };
    const via = row.path.slice(1, -1);
    return h("tr", {
      class: isSelected ? "selected" : null,
      onclick: /** @type {EventListener} */ ((/** @type {MouseEvent} */ event) => {
        if (!(/** @type {Element} */ (event.target)).closest("a") && !String(getSelection())) page.go(target);
      }),
    },
      h("th", { scope: "row" },
        h("a", { href: page.address(target), "data-key": `pair-${row.giver_id}-${row.receiver_id}`, "aria-current": isSelected ? "true" : null },
          name(row.giver), " to ", name(row.receiver)),
        row.reason ? h("span", { class: "aside" }, `Not said how clear: ${row.reason}.`) : null,
        row.undated_count ? h("span", { class: "aside" }, `${row.undated_count} known only to the month or quarter.`) : null),
      cell("Gave, came back", h("span", { class: "amounts" }, `${formatAmount(row.given, page.isMinutes)} : ${formatAmount(row.received, page.isMinutes)}`)),
      cell("Days each way", `${row.given_days} : ${row.received_days}`,
        row.direction_differs ? h("span", { class: "aside" }, "days point the other way") : null),
      cell("Share of days, 95%", row.interval_low === null ? "–" : drawInterval(row, 110)),
      cell("p", formatProbability(row.p_value)),
      cell("q", formatProbability(row.q_value)),
      cell("Highest rung of 6", drawRungs(row), h("span", { class: "aside" }, row.rung ? `${row.rung}: ${row.rung_label}` : "–")),
      cell("Paid back by others", row.paid_back === null ? "–" : row.paid_back ? formatAmount(row.paid_back, page.isMinutes) : "nothing",
        via.length ? h("span", { class: "aside" }, "through ", name(via[0].label), via.length > 1 ? ` and ${via.length - 1} more` : null) : null));
  }

  /** @param {import("../answers.js").Answer} pair @param {any} row of the selected pair, if it is listed */
  function drawPair(pair, row) {
    const { directions } = pair.data;
    const exchanges = directions.flatMap((/** @type {any} */ each) => each.exchanges);
    const [first] = directions;
    return card({
      key: "pair", title: first ? `Between ${first.giver} and ${first.receiver}` : "Exchanges behind a pair", answer: first ? pair : null,
      empty: first ? "" : "Choose a pair to see the exchanges behind it.",
      body: [
        row?.path.length ? drawPath(row) : null,
        ...directions.map((/** @type {any} */ each) => h("section", { class: "direction" },
          h("h3", {}, name(each.giver), " to ", name(each.receiver)),
          each.exchanges.length ? h("ul", { class: "names exchanges-list" }, ...each.exchanges.map(drawExchange)) : h("p", { class: "note" }, "Nothing in these months."),
          each.has_more ? h("p", { class: "note" }, "There are more. Choose fewer months to see the others.") : null)),
        h("p", {}, h("a", { href: page.address({ giver: null, receiver: null }) }, "Choose no pair")),
      ],
      table: () => ({ columns: EXCHANGE_COLUMNS, rows: exchanges.map(toExchangeCells) }),
    });
  }

  /** @param {any} row */
  function drawPath(row) {
    return h("section", { class: "direction" }, h("h3", {}, `Paid back by others: ${formatAmount(row.paid_back, page.isMinutes)}`),
      h("p", { class: "note" }, "At most; such as along this path."),
      h("ol", { class: "path" }, ...row.path.map((/** @type {any} */ each) => h("li", {}, name(each.label)))));
  }

  return { update };
}

/** @param {string} label shown where the head of the table is not @param {...import("../dom.js").Child} children */
function cell(label, ...children) {
  return h("td", {}, h("span", { class: "cell-label" }, label), h("span", { class: "cell" }, ...children));
}
