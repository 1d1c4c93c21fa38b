// @ts-check
/** Totals, months, what changed lately, how mutual it is, and who may need help. */

import { card } from "../card.js";
import { drawColumns } from "../columns.js";
import { drawMutual } from "../mutual.js";
import { drawTotals } from "../totals.js";
import { moreButton } from "../controls.js";
import { formatCount, formatMinutes } from "../format.js";
import { h, name, replace } from "../dom.js";
import { nextMonth } from "../state.js";

export const parts = ["mutual"];
const FEW = 8;

/**
 * @param {Element} host
 * @param {import("../app.js").Page} page
 */
export function mount(host, page) {
  /** @type {Set<string>} */
  const whole = new Set();
  /** @type {import("../app.js").Answers} */
  let last = {};

  /** @param {import("../app.js").Answers} answers */
  function update(answers) {
    last = answers;
    const { overview, programme, mutual } = answers;
    replace(host,
      drawTotals(overview.data.totals),
      h("div", { class: "grid overview" },
        programme ? drawMonths(programme, overview) : null,
        drawChanges(overview),
        mutual ? drawMutual(mutual) : card({ key: "mutual", title: "Is it mutual?", size: "whole", answer: null, empty: "Computing chance…" }),
        drawHelp(overview)));
  }

  /**
   * @param {import("../answers.js").Answer} programme
   * @param {import("../answers.js").Answer} overview
   */
  function drawMonths(programme, overview) {
    const { months } = programme.data;
    return card({
      key: "months", title: "Exchanges by month", size: "seven", answer: { ...programme, question: overview.question },
      note: "All months, with the filters other than the months. Choose one to look at it alone.",
      empty: months.length ? "" : "Nothing has been recorded yet. Record an exchange: mutua log --from A --to B --kind call",
      chart: (width) => drawColumns({
        months, width,
        onselect: (month) => page.go({ from: `${month}-01`, to: `${nextMonth(month)}-01` }),
      }),
      table: () => ({
        columns: ["month", "exchange_count", "recorded_count", "roster_count"],
        rows: months.map((/** @type {any} */ each) => [each.month, each.exchange_count, each.recorded_count, each.roster_count]),
      }),
    });
  }

  /** @param {import("../answers.js").Answer} overview */
  function drawHelp(overview) {
    return h("section", { class: "card help whole", "aria-labelledby": "card-help" },
      h("div", { class: "card-head" }, h("h2", { id: "card-help" }, "Who may need help")),
      h("p", { class: "note" }, "In the order of names. Being listed is no judgement."),
      h("div", { class: "help-lists" }, ...overview.data.help.map((/** @type {any} */ list) => drawHelpList(list))),
      h("p", { class: "coverage" }, overview.coverage));
  }

  /** @param {any} list */
  function drawHelpList(list) {
    const shown = whole.has(list.name) ? list.organizations : list.organizations.slice(0, FEW);
    const hidden = list.organizations.length - shown.length;
    return h("section", { "aria-labelledby": `help-${list.name}` },
      h("h3", { id: `help-${list.name}` }, list.label, " ", h("span", { class: "count" }, formatCount(list.organizations.length))),
      h("p", { class: "note" }, list.meaning),
      shown.length ? h("ul", { class: "names" }, ...shown.map((/** @type {any} */ each, /** @type {number} */ index) => h("li", {},
        h("a", { href: page.address({ view: "organization", organization: each.id }) }, name(each.label)),
        list.notes[index] ? h("span", { class: "aside" }, name(list.notes[index])) : null)))
        : h("p", { class: "empty" }, "None."),
      hidden ? moreButton(hidden, `more-${list.name}`, () => {
        whole.add(list.name);
        update(last);
      }) : null);
  }

  return { update };
}

/** @param {import("../answers.js").Answer} overview */
function drawChanges(overview) {
  const { changes, recent } = overview.data;
  /** @param {number} value @param {string} unit */
  const show = (value, unit) => (unit === "minutes" ? formatMinutes(value) : formatCount(value));
  return card({
    key: "changes", title: "What changed", size: "five", answer: overview, note: `${recent}.`,
    body: [h("table", { class: "changes" },
      h("thead", {}, h("tr", {}, h("td", {}), ...["Last 30 days", "30 before", "Change"].map((each) => h("th", { scope: "col", class: "number" }, each)))),
      h("tbody", {}, ...changes.map((/** @type {any} */ each) => {
        const difference = each.now - each.before;
        const sign = difference > 0 ? "+" : difference < 0 ? "−" : "±";
        return h("tr", {}, h("th", { scope: "row" }, each.label),
          h("td", { class: "number strong" }, show(each.now, each.unit)),
          h("td", { class: "number" }, show(each.before, each.unit)),
          h("td", { class: "number" }, `${sign}${show(Math.abs(difference), each.unit)}`));
      })))],
    table: () => ({
      columns: ["figure", "unit", "last_30_days", "30_days_before"],
      rows: changes.map((/** @type {any} */ each) => [each.label, each.unit, each.now, each.before]),
    }),
  });
}
