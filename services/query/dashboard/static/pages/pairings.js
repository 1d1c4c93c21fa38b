// @ts-check
/** Pairings: their last contact, the rungs they use, and both directions. */

import { card } from "../card.js";
import { drawChoice, moreButton } from "../controls.js";
import { drawCommand } from "../command.js";
import { drawContact, drawContacts, drawRungs } from "../contact.js";
import { formatAmount, formatCount, plural } from "../format.js";
import { h, name, replace, s } from "../dom.js";

const FEW = 40;
const IN_PICTURE = 30;
const SORTS = [["name", "by name"], ["contact", "longest without contact first"]];
const HEADS = ["Organizations", "Gave the other", "Last contact", "Highest rung of 6", "Paired"];

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  let isWhole = false;

  /** @param {import("../app.js").Answers} answers */
  function update({ pairings }) {
    const { data } = pairings;
    const isEmpty = !data.count && !data.ended.length;
    replace(host, h("div", { class: "grid" },
      isEmpty ? drawNothing(data) : drawCurrent(pairings),
      data.ended.length ? drawEnded(pairings) : null));
  }

  /** @param {any} data */
  function drawNothing(data) {
    return card({
      key: "pairings", title: "Pairings", answer: null,
      body: [
        h("p", { class: "empty" }, "No pairing has been recorded. A pairing is two organizations that the programme binds together, such as an exemplar and its follower."),
        h("p", {}, "To bring pairings in from a table with the columns a, b and from_date, and if you have them to_date and chosen_by:"),
        drawCommand(data.command),
        h("p", { class: "note" }, "FILE is a CSV file or an Excel workbook. With --dry-run nothing is recorded."),
      ],
    });
  }

  /** @param {import("../answers.js").Answer} pairings */
  function drawCurrent(pairings) {
    const { data } = pairings;
    const { rows } = data;
    const shown = isWhole ? rows : rows.slice(0, FEW);
    const hidden = rows.length - shown.length;
    return card({
      key: "pairings", title: "Pairings", answer: pairings,
      note: `Days count back from ${data.counted_from}. The mark is at ${data.quiet_days} days; contact may also have gone unrecorded. The steps are from documents (1) to secondments (6), filled where there are such exchanges.`,
      body: [
        h("div", { class: "tools" },
          drawChoice(page, "Show", "contact", [["every", `all ${formatCount(data.count)}`], ["quiet", `nothing in ${data.quiet_days} days (${formatCount(data.quiet_count)})`]], data.contact),
          drawChoice(page, "Order", "sort", SORTS, data.sort)),
        rows.length ? drawTable(shown, data, "Pairings") : h("p", { class: "empty" }, data.count
          ? `Every pairing had contact in the last ${data.quiet_days} days, or was formed in them.` : "All pairings have ended."),
        hidden ? h("p", {}, moreButton(hidden, "show-all", () => {
          isWhole = true;
          update({ pairings });
        })) : null,
      ],
      picture: rows.length ? (width) => drawContacts(rows.slice(0, IN_PICTURE), data.quiet_days, width) : undefined,
      table: rows.length ? () => makeRows(rows) : undefined,
    });
  }

  /** @param {import("../answers.js").Answer} pairings */
  function drawEnded(pairings) {
    const { data } = pairings;
    return card({
      key: "ended", title: "Ended pairings", answer: pairings, note: "Contact may go on after a pairing ends.",
      body: [drawTable(data.ended, data, "Ended pairings")],
      picture: (width) => drawContacts(data.ended.slice(0, IN_PICTURE), data.quiet_days, width),
      table: () => makeRows(data.ended),
    });
  }

  /** @param {any[]} rows @param {any} data @param {string} caption */
  function drawTable(rows, data, caption) {
    const most = Math.max(1e-9, ...[...data.rows, ...data.ended].flatMap((row) => row.sides.map((/** @type {any} */ side) => side.given)));
    return h("div", {}, h("table", { class: "pairing-table", "aria-label": caption },
      h("thead", {}, h("tr", {}, ...HEADS.map((label) => h("th", { scope: "col" }, label)))),
      ...rows.map((row) => drawRow(row, data.quiet_days, most))));
  }

  /** @param {any} row @param {number} quietDays @param {number} most */
  function drawRow(row, quietDays, most) {
    const [one, other] = row.sides;
    return h("tbody", { },
      h("tr", {}, ...drawSide(one, most, 1),
        h("td", { rowspan: 2, class: "last" },
          h("span", { class: "cell-label" }, "Last contact"),
          h("span", { class: "line" }, row.last_contact || "None seen here"),
          drawContact(row, quietDays, 150),
          h("span", { class: "aside" }, describeAge(row)),
          row.is_quiet ? h("strong", { class: "mark" }, `Nothing in ${quietDays} days`) : null),
        h("td", { rowspan: 2 },
          h("span", { class: "cell-label" }, "Highest rung of 6"),
          drawRungs(row),
          h("span", { class: "line" }, row.rung ? `${row.rung}: ${row.rung_label}` : "–"),
          row.joint_count ? h("span", { class: "aside" }, plural(row.joint_count, "joint exchange")) : null),
        h("td", { rowspan: 2 },
          h("span", { class: "cell-label" }, "Paired"),
          h("span", { class: "line" }, row.bound), h("span", { class: "aside" }, row.chosen_by),
          h("a", {
            href: page.address({ view: "pairs", giver: one.id, receiver: other.id, evidence: "every", contact: null, sort: null }),
            "data-key": `exchanges-${one.id}-${other.id}`,
            "aria-label": `Exchanges between ${one.label} and ${other.label}`,
          }, "Exchanges"))),
      h("tr", {}, ...drawSide(other, most, 2)));
  }

  /** @param {any} side @param {number} most @param {number} line */
  function drawSide(side, most, line) {
    const isMinutes = page.isMinutes;
    const days = plural(side.day_count, "day");
    const words = isMinutes ? `${plural(side.exchange_count, "exchange")} on ${days}` : `on ${days}`;
    return [
      h("th", { scope: "row", class: `side-${line}` }, h("a", { href: page.address({ view: "organization", organization: side.id }) }, name(side.label))),
      h("td", { class: `side-${line} flow` },
        h("div", { class: "flow-line" },
          s("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "gave", width: (side.given / most) * 100, height: 14 })),
          h("span", { class: "amounts" }, formatAmount(side.given, isMinutes)),
          h("span", { class: "aside" }, side.exchange_count ? words : "nothing seen here",
            side.unknown_count ? `, ${formatCount(side.unknown_count)} without minutes` : null))),
    ];
  }

  return { update };
}

/** @param {any} row */
function describeAge(row) {
  if (row.days_ago === null) return "";
  return `${row.is_exact ? "" : "up to "}${plural(row.days_ago, "day")} ago`;
}

/** @param {any[]} rows @returns {import("../csv.js").Table} */
function makeRows(rows) {
  return {
    columns: ["a_id", "a", "b_id", "b", "bound", "chosen_by", "last_contact", "days_ago", "days_ago_is_exact", "a_gave", "a_exchanges", "a_days", "b_gave", "b_exchanges", "b_days", "joint_exchanges", "highest_rung"],
    rows: rows.map((row) => {
      const [a, b] = row.sides;
      return [a.id, a.label, b.id, b.label, row.bound, row.chosen_by, row.last_contact, row.days_ago, String(row.is_exact),
        a.given, a.exchange_count, a.day_count, b.given, b.exchange_count, b.day_count, row.joint_count, row.rung];
    }),
  };
}
