// @ts-check
/** The filters that all views share. */

import { combobox } from "./combobox.js";
import { h, replace } from "./dom.js";
import { isMonth, nextMonth } from "./state.js";
import { monthRange } from "./histogram.js";

/** @typedef {import("./app.js").Page} Page */
/** @typedef {{word: string, label: string}} Word */

const LENSES = [
  { word: "count", label: "Exchanges" },
  { word: "burden", label: "Minutes given" },
  { word: "attention", label: "Minutes received" },
  { word: "benefit", label: "Minutes saved" },
];
const NARROWING = ["kind", "formality", "topic"];
/** What "Clear filters" forgets: filters, what is selected among them, and how much of a list is shown.
 * What is chosen in a card, such as an order, stays. */
const CLEARED = ["from", "to", ...NARROWING, "organization", "giver", "receiver", "about", "rows"];

/**
 * @param {Element} host
 * @param {Page} page
 * @param {any} programme the data of the part "programme"
 */
export function drawFilters(host, page, programme) {
  const values = page.state.values;
  const set = ["from", "to", "organization", ...NARROWING].filter((key) => values[key]?.length);
  const count = set.filter((key) => key !== "to" || !values.from).length;
  const wasOpen = host.querySelector("details.narrowing")?.hasAttribute("open");
  const isWide = matchMedia("(min-width: 700px)").matches;
  const open = host.querySelector("details.menu[open]")?.getAttribute("data-key");
  replace(host,
    programme.months.length ? drawMonths(page, programme.months) : null,
    h("details", { class: "narrowing", open: wasOpen ?? isWide },
      h("summary", { "data-key": "narrowing" }, count ? `Filters (${count} set)` : "Filters"),
      h("div", { class: "row" },
        drawLens(page),
        drawChoices(page, "kind", "Kind", programme.kinds, open),
        drawChoices(page, "formality", "Formality", programme.formalities, open),
        programme.topics.length ? drawChoices(page, "topic", "Topic", programme.topics, open) : null,
        page.choices.includes("organization") ? combobox({
          id: "organization",
          label: "Organization",
          parties: () => programme.organizations,
          selected: findParty(programme.organizations, values.organization?.[0]),
          onselect: (party) => page.go({ organization: party?.id ?? null, giver: null, receiver: null }),
        }) : null,
        count ? h("button", {
          type: "button", class: "quiet", "data-key": "clear-all",
          onclick: () => page.go(Object.fromEntries(CLEARED.map((key) => [key, null]))),
        }, "Clear filters") : null)));
}

/**
 * @param {{id: string, label: string}[]} parties
 * @param {string | undefined} id
 */
function findParty(parties, id) {
  return id ? parties.find((party) => party.id === id) ?? { id, label: id } : null;
}

/**
 * @param {Page} page
 * @param {import("./histogram.js").Month[]} months
 */
function drawMonths(page, months) {
  const from = page.state.values.from?.[0]?.slice(0, 7) ?? "";
  const to = page.state.values.to?.[0]?.slice(0, 7) ?? "";
  const start = isMonth(from) ? months.findIndex((month) => month.month >= from) : 0;
  const stop = isMonth(to) ? months.findIndex((month) => month.month >= to) : months.length;
  const first = start < 0 ? months.length - 1 : start;
  const end = stop < 0 ? months.length : Math.max(first + 1, stop);
  return monthRange({
    months, start: first, end,
    onselect: (a, b) => page.go({
      from: a === 0 ? null : `${months[a].month}-01`,
      to: b === months.length ? null : `${nextMonth(months[b - 1].month)}-01`,
    }),
  });
}

/** @param {Page} page */
function drawLens(page) {
  const lens = page.state.values.lens?.[0] ?? "count";
  return h("fieldset", { class: "lens" }, h("legend", {}, "Counted in"),
    h("div", { class: "segments" }, ...LENSES.map(({ word, label }) => h("label", {},
      h("input", {
        type: "radio", name: "lens", value: word, checked: word === lens, "data-key": `lens-${word}`,
        onchange: () => page.go({ lens: word === "count" ? null : word }),
      }), h("span", {}, label)))));
}

/**
 * @param {Page} page
 * @param {string} key
 * @param {string} label
 * @param {Word[]} words
 * @param {string | null | undefined} open
 */
function drawChoices(page, key, label, words, open) {
  const chosen = page.state.values[key] ?? [];
  const [only] = words.filter(({ word }) => word === chosen[0]);
  const text = chosen.length === 0 ? "Any" : chosen.length === 1 ? only?.label ?? chosen[0] : `${chosen.length} chosen`;
  const menu = h("details", { class: "menu", "data-key": `choices-${key}`, open: open === `choices-${key}` },
    h("summary", { "data-key": `summary-${key}`, "aria-label": `${label}: ${text}` }, h("bdi", {}, text)),
    h("fieldset", { class: "sheet" }, h("legend", {}, label), ...words.map(({ word, label: words }) => h("label", {},
      h("input", {
        type: "checkbox", value: word, checked: chosen.includes(word), "data-key": `${key}-${word}`,
        onchange: () => page.go({
          [key]: chosen.includes(word) ? chosen.filter((each) => each !== word) : [...chosen, word],
        }),
      }), h("bdi", {}, words)))));
  return h("div", { class: "choice" }, h("span", { class: "label", "aria-hidden": "true" }, label), menu);
}
