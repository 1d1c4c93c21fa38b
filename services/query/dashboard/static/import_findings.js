// @ts-check
/** What a dry run found: errors by row, and the first rows as they would be recorded. */

import { h, name } from "./dom.js";
import { makeTable } from "./card.js";
import { save, toCsv } from "./csv.js";
import { labelField } from "./import_words.js";
import { plural } from "./format.js";

const ROW_FIELDS = ["occur_time", "giver", "receiver", "parties", "kind", "topics", "giver_minutes", "note"];

/**
 * @param {any} report
 * @param {() => void} ondownload gets the rows with errors as a file
 */
export function listErrors(report, ondownload) {
  if (!report.error_count) return null;
  const { errors, error_count, counts } = report;
  const table = {
    columns: ["line", "rows", "field", "value", "what to fix"],
    rows: errors.map((/** @type {any} */ each) => [each.row ? String(each.row) : "", String(each.row_count), labelField(each.field), each.value, each.message]),
  };
  return h("section", { "aria-label": "Errors" }, h("h3", {}, plural(error_count, "error")),
    makeTable(table, "Errors"),
    h("p", {},
      counts.wrong ? h("button", { type: "button", class: "quiet", "data-key": "bad-rows", onclick: ondownload }, `Download the ${plural(counts.wrong, "row")} to fix (CSV)`) : null,
      h("button", { type: "button", class: "quiet", "data-key": "error-list", onclick: () => save("mutua-errors.csv", new Blob([toCsv(table)], { type: "text/csv" })) }, "Download this list (CSV)")),
    counts.wrong ? h("p", { class: "note" }, "Rows that are fixed there belong to the same batch: give the file that you drop next this batch name.") : null);
}

/** @param {any} report */
export function listNewRows(report) {
  if (!report.new_rows.length) return null;
  const fields = ROW_FIELDS.filter((field) => report.new_rows.some((/** @type {any} */ row) => row.cells[field]));
  return h("section", { "aria-label": "As recorded" },
    h("h3", {}, report.counts.recorded > report.new_rows.length ? `As they would be recorded: the first ${report.new_rows.length} of ${plural(report.counts.recorded, "exchange")}` : "As they would be recorded"),
    makeTable({
      columns: ["line", ...fields.map(labelField)],
      rows: report.new_rows.map((/** @type {any} */ row) => [String(row.row), ...fields.map((field) => row.cells[field] ?? "")]),
    }, "As they would be recorded"));
}

/** @param {any} report */
export function listChanges(report) {
  if (!report.changes.length) return null;
  return h("section", { "aria-label": "Changes" }, h("h3", {}, "Rows that change what is recorded"), changes(report.changes));
}

/**
 * Questions that have to be confirmed.
 * @param {any[]} doubts
 * @param {Set<string>} confirmed
 * @param {() => void} onconfirm
 */
export function askDoubts(doubts, confirmed, onconfirm) {
  return doubts.map((doubt) => h("section", { class: "wrong", "aria-label": "To confirm" },
    h("p", {}, name(doubt.statement)), changes(doubt.changes), h("p", { class: "note" }, name(doubt.remedy)),
    h("label", { class: "confirm" }, h("input", {
      type: "checkbox", checked: confirmed.has(doubt.option), "data-key": `confirm-${doubt.option}`,
      onchange: () => {
        if (!confirmed.delete(doubt.option)) confirmed.add(doubt.option);
        onconfirm();
      },
    }), ` ${doubt.question}`)));
}

/** @param {any[]} rows */
function changes(rows) {
  return rows.length ? h("ul", { class: "names" }, ...rows.map((each) => h("li", {},
    h("span", {}, each.row ? `Line ${each.row}` : "Earlier", each.reference ? name(` (${each.reference})`) : null), name(each.lines.join("; "))))) : null;
}
