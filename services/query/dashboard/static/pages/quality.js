// @ts-check
/** What is wrong or missing in the records, each with what to do next. */

import { card } from "../card.js";
import { drawCommand } from "../command.js";
import { drawParts } from "../parts.js";
import { EXCHANGE_COLUMNS, drawExchange, toExchangeCells } from "../exchanges.js";
import { drawTotals } from "../totals.js";
import { formatCount, plural } from "../format.js";
import { moreButton } from "../controls.js";
import { h, name, replace } from "../dom.js";

const FEW = 10;
const IN_PICTURE = 30;
const WHOLE = "All facts of the programme, whatever the filters.";

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  /** @type {Set<string>} */
  const whole = new Set();
  /** @type {import("../app.js").Answers} */
  let last = {};

  /** @param {import("../app.js").Answers} answers */
  function update(answers) {
    last = answers;
    const { quality } = answers;
    const { data } = quality;
    replace(host,
      drawCounts(data),
      h("div", { class: "grid overview" },
        drawAside(quality),
        data.waiting_count ? drawWaiting(data) : null,
        drawNames(quality),
        drawMissing(quality, { key: "kinds", title: "Without minutes, by kind", rows: data.missing_by_kind, address: (id) => page.address({ kind: id }) }),
        drawMissing(quality, { key: "givers", title: "Without minutes, by who gave", rows: data.missing_by_giver, address: (id) => page.address({ view: "organization", organization: id }) }),
        drawDoubles(quality),
        data.straddling.length ? drawStraddling(quality) : null));
  }

  /** The first rows of a list, unless all were asked for. @param {string} key @param {any[]} rows */
  function first(key, rows) {
    return whole.has(key) ? rows : rows.slice(0, FEW);
  }

  /** @param {string} key @param {any[]} rows */
  function drawMore(key, rows) {
    const hidden = rows.length - first(key, rows).length;
    return hidden ? h("p", {}, moreButton(hidden, `more-${key}`, () => {
      whole.add(key);
      update(last);
    })) : null;
  }

  /** @param {import("../answers.js").Answer} quality */
  function drawAside(quality) {
    const { quarantine, quarantine_count: count, commands } = quality.data;
    const records = quarantine.flatMap((/** @type {any} */ group) => group.records.map((/** @type {any} */ record) => ({ ...record, reason: group.reason, remedy: group.remedy })));
    return card({
      key: "quarantine", title: "Facts that can never apply", size: "whole", answer: { ...quality, coverage: WHOLE },
      note: "They count nowhere.",
      empty: count ? "" : "None: every fact applies.",
      body: [
        ...quarantine.map((/** @type {any} */ group, /** @type {number} */ index) => h("section", { class: "direction" },
          h("h3", {}, sentence(group.reason), " ", h("span", { class: "count" }, formatCount(group.records.length))),
          h("p", { class: "note" }, group.first_day === group.last_day ? `Recorded on ${group.first_day}.` : `First recorded on ${group.first_day}, last on ${group.last_day}.`),
          h("p", {}, "What to do: ", name(group.remedy)),
          h("ul", { class: "names records" }, ...first(`group-${index}`, group.records).map(drawRecord)),
          drawMore(`group-${index}`, group.records))),
        records.length < count ? h("p", {}, `These are the first ${formatCount(records.length)} of ${formatCount(count)}. All of them:`) : null,
        records.length < count ? drawCommand(commands.quarantine) : null,
      ],
      table: () => ({
        columns: ["number", "recorded", "reason", "fact", "detail", "remedy", "resubmitted_as"],
        rows: records.map((/** @type {any} */ each) => [each.number, each.day, each.reason, each.fact, each.detail, each.remedy, each.resubmitted_as]),
      }),
    });
  }

  /** @param {import("../answers.js").Answer} quality */
  function drawNames(quality) {
    const { names, name_count: count, has_roster: hasRoster, commands } = quality.data;
    const hasSame = names.some((/** @type {any} */ each) => each.suggestions.some((/** @type {any} */ one) => one.is_same));
    return card({
      key: "names", title: "Named, but not registered", size: "whole", answer: { ...quality, coverage: WHOLE },
      note: "Each counts as an organization of its own. An alias also applies to what is recorded already, and is final.",
      empty: count ? "" : "None: every organization that a fact names is registered.",
      body: [
        hasRoster ? null : h("p", {}, "No organization is registered yet. To bring in all of them from a table:"),
        hasRoster ? null : drawCommand(commands.roster),
        hasSame ? h("p", {}, "To bind every name that is spelled like one registered organization:") : null,
        hasSame ? drawCommand(commands.unbound) : null,
        h("ul", { class: "names name-list" }, ...first("names", names).map(drawName)),
        drawMore("names", names),
        names.length < count ? h("p", { class: "note" }, `These are the ${formatCount(names.length)} named most often of ${formatCount(count)}.`) : null,
      ],
      table: () => ({
        columns: ["name", "exchange_count", "last_exchange", "may_be_ids", "may_be", "commands"],
        rows: names.map((/** @type {any} */ each) => [each.id, each.exchange_count, each.last_exchange,
          ...["id", "label", "command"].map((key) => each.suggestions.map((/** @type {any} */ one) => one[key]).join(" or ") || (key === "command" ? each.command : ""))]),
      }),
    });
  }

  /** @param {any} each */
  function drawName(each) {
    return h("li", {},
      h("div", {}, h("a", { href: page.address({ view: "organization", organization: each.id }) }, name(each.label)),
        h("span", { class: "aside" }, each.exchange_count ? ` ${plural(each.exchange_count, "exchange")}, the last on ${each.last_exchange}` : " in no exchange")),
      h("div", { class: "remedies" },
        ...each.suggestions.flatMap((/** @type {any} */ one) => [
          h("span", {}, one.is_same ? "Spelled like " : "Did you mean ", name(one.label), one.is_same ? "" : "?"), drawCommand(one.command)]),
        h("span", {}, each.suggestions.length ? "If it is another one" : "Register it"), drawCommand(each.command)));
  }

  /**
   * @param {import("../answers.js").Answer} quality
   * @param {{key: string, title: string, rows: import("../parts.js").MissingPart[], address: (id: string) => string}} options
   */
  function drawMissing(quality, { key, title, rows, address }) {
    const { minutes, missing, commands } = quality.data;
    const shown = first(key, rows);
    return card({
      key, title, size: "half", answer: quality,
      note: `${formatCount(missing.missing_count)} of ${plural(missing.exchange_count, "directed exchange")} without the ${minutes}. Filled: without. Outlined: all.`,
      empty: rows.length ? "" : missing.exchange_count ? "None: all have minutes." : "No exchange matches. Choose more months, or clear a filter.",
      chart: (width) => drawParts({ rows: shown, width, label: title, address }),
      picture: (width) => drawParts({ rows: rows.slice(0, IN_PICTURE), width, label: title, address }),
      below: [drawMore(key, rows), h("p", { class: "note" }, "To add them to an exchange:"), drawCommand(commands.minutes)],
      table: () => ({ columns: ["id", "label", "without_minutes", "exchange_count"], rows: rows.map((each) => [each.id, each.label, each.missing_count, each.exchange_count]) }),
    });
  }

  /** @param {import("../answers.js").Answer} quality */
  function drawDoubles(quality) {
    const { doubles, double_count: count, commands } = quality.data;
    return card({
      key: "doubles", title: "Possibly reported twice", size: "whole", answer: quality,
      note: "The same parties, kind and day, reported by different sides. Those of one act follow each other. They may also be two exchanges.",
      empty: doubles.length ? "" : "None.",
      body: [
        h("p", { class: "note" }, `${plural(count, "exchange")} may be counted twice. To take one out of every answer:`), drawCommand(commands.retract),
        h("ul", { class: "names exchanges-list" }, ...first("doubles", doubles).map((/** @type {any} */ each) => {
          const item = drawExchange(each);
          item.append(h("div", { class: "aside" }, h("code", {}, each.id)));
          return item;
        })),
        drawMore("doubles", doubles),
      ],
      table: () => ({ columns: EXCHANGE_COLUMNS, rows: doubles.map(toExchangeCells) }),
    });
  }

  return { update };
}

/** @param {any} data */
function drawCounts(data) {
  const { missing } = data;
  /** @param {string} name @param {string} label @param {number} value @param {number | null} [of] */
  const total = (name, label, value, of = null) => ({ name, label, value, of, unit: "records" });
  return drawTotals([
    total("quarantine", "Can never apply", data.quarantine_count),
    total("waiting", "Wait for another fact", data.waiting_count),
    total("names", "Named, not registered", data.name_count),
    total("minutes", "Without minutes", missing.missing_count, missing.exchange_count),
    total("doubles", "Possibly reported twice", data.double_count),
  ]);
}

/** @param {any} data */
function drawWaiting(data) {
  return card({
    key: "waiting", title: "Facts that wait for another fact", size: "whole", answer: null,
    body: [
      h("p", {}, `${plural(data.waiting_count, "fact")} came before what ${data.waiting_count === 1 ? "it refers" : "they refer"} to, such as a correction before its exchange, and so far ${data.waiting_count === 1 ? "counts" : "count"} nowhere.`),
      h("p", {}, "What to do: nothing, if the other fact is on its way. Otherwise record it under the id that is referred to; the log has these ids:"),
      drawCommand(data.commands.log),
    ],
  });
}

/** @param {import("../answers.js").Answer} quality */
function drawStraddling(quality) {
  const { straddling } = quality.data;
  return card({
    key: "straddling", title: "Across the edge of the window", size: "whole", answer: quality,
    body: straddling.map((/** @type {string} */ each) => h("p", {}, each)),
  });
}

/** @param {any} record */
function drawRecord(record) {
  return h("li", {},
    h("div", {}, h("strong", {}, `Record ${record.number}`), record.fact ? `, ${record.fact}` : null, `, ${record.day}: `, name(record.detail),
      record.resubmitted_as ? h("span", { class: "aside" }, " Resubmitted already.") : null),
    drawCommand(record.command));
}

/** @param {string} words */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
