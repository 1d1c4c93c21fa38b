// @ts-check
/** One organization: profile, partners, topics, exchanges, and who receives from it alone. */

import { card } from "../card.js";
import { drawBars } from "../bars.js";
import { EXCHANGE_COLUMNS, drawExchange, toExchangeCells } from "../exchanges.js";
import { drawTrendCard } from "../trend.js";
import { moreButton } from "../controls.js";
import { h, name, replace } from "../dom.js";

export const parts = ["trend"];
const FEW = 15;

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  /** @type {Set<string>} */
  const whole = new Set();
  /** @type {import("../app.js").Answers} */
  let last = {};

  /** @param {import("../app.js").Answers} answers */
  function update(answers) {
    last = answers;
    const { organization, programme, trend } = answers;
    const { selected } = organization.data;
    replace(host, ...(selected ? [drawProfile(organization), drawSelected(organization, trend)] : [card({
      key: "choose", title: "Choose an organization", answer: null,
      body: [programme ? drawDirectory(programme.data.organizations) : null],
    })]));
  }

  /** @param {any[]} organizations */
  function drawDirectory(organizations) {
    return organizations.length ? h("ul", { class: "names directory" }, ...organizations.map((each) => h("li", {},
      h("a", { href: page.address({ organization: each.id }) }, name(each.label)))))
      : h("p", { class: "empty" }, "Nothing has been recorded yet.");
  }

  /** @param {import("../answers.js").Answer} organization */
  function drawProfile(organization) {
    const { profile, selected } = organization.data;
    return card({
      key: "profile", title: selected.label, size: "above", answer: organization,
      body: [h("dl", { class: "profile" }, ...profile.map((/** @type {any} */ line) => h("div", {}, h("dt", {}, line.label), h("dd", {}, name(line.value)))))],
      table: () => ({ columns: ["what", "value"], rows: profile.map((/** @type {any} */ line) => [line.label, line.value]) }),
    });
  }

  /**
   * @param {import("../answers.js").Answer} organization
   * @param {import("../answers.js").Answer | undefined} trend
   */
  function drawSelected(organization, trend) {
    const { data } = organization;
    const { selected, timeline } = data;
    return h("div", { class: "grid balances" },
      h("div", { class: "stack" },
        trend?.data.selected ? drawTrendCard(trend, page, { title: "Given and received by month" }) : null,
        drawFlows(organization, {
          key: "partners", title: `Partners of ${selected.label}`, rows: data.partners, empty: "It neither gave nor received here.",
          note: `What ${selected.label} gave to and received from each. ${data.note}`,
          onselect: (id) => page.go({ organization: id, rows: null }),
        }),
        drawFlows(organization, {
          key: "topics", title: "Topics given and received", rows: data.topics, empty: "None of its exchanges here has a topic.",
          note: "An exchange with several topics counts under each.",
          onselect: (id) => page.go({ topic: [id] }),
        })),
      h("div", { class: "stack" },
        drawDependants(organization),
        card({
          key: "timeline", title: "Exchanges", answer: organization, note: "The latest first.",
          empty: timeline.length ? "" : "Nothing in these months.",
          body: [h("ul", { class: "names exchanges-list" }, ...timeline.map(drawExchange)),
            data.next_rows ? h("p", {}, h("a", { href: page.address({ rows: String(data.next_rows) }), "data-key": "earlier" }, "Show earlier ones")) : null],
          table: () => ({ columns: EXCHANGE_COLUMNS, rows: timeline.map(toExchangeCells) }),
        })));
  }

  /**
   * @param {import("../answers.js").Answer} organization
   * @param {{key: string, title: string, note: string, rows: any[], empty: string, onselect: (id: string) => void}} options
   */
  function drawFlows(organization, { key, title, note, rows, empty, onselect }) {
    const shown = whole.has(key) ? rows : rows.slice(0, FEW);
    const hidden = rows.length - shown.length;
    return card({
      key, title, note, answer: organization, empty: rows.length ? "" : empty,
      chart: (width) => drawBars({ rows: shown, width, isMinutes: page.isMinutes, selected: undefined, onselect, label: title }),
      below: [hidden ? h("p", {}, moreButton(hidden, `more-${key}`, () => {
        whole.add(key);
        update(last);
      })) : null],
      table: () => ({
        columns: ["id", "label", "given", "received", "unknown_count"],
        rows: rows.map((each) => [each.id, each.label, each.given, each.received, each.unknown_count]),
      }),
    });
  }

  /** @param {import("../answers.js").Answer} organization */
  function drawDependants(organization) {
    const { dependants, only_source: source } = organization.data;
    return card({
      key: "dependants", title: "Receive from it alone", answer: organization,
      note: "If it stops, they receive from nobody here.",
      body: [
        dependants.length ? h("ul", { class: "names" }, ...dependants.map((/** @type {any} */ each) => h("li", {}, link(each)))) : h("p", { class: "empty" }, "None."),
        source ? h("p", { class: "note" }, "It receives from one alone itself: ", link(source), ".") : null,
      ],
      table: () => ({ columns: ["organization_id", "organization"], rows: dependants.map((/** @type {any} */ each) => [each.id, each.label]) }),
    });
  }

  /** @param {{id: string, label: string}} party */
  function link(party) {
    return h("a", { href: page.address({ organization: party.id, rows: null }) }, name(party.label));
  }

  return { update };
}
