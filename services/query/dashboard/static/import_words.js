// @ts-check
/** Fields of a file, and what an import did, in words. */

import { formatCount, plural } from "./format.js";

/** @type {Record<string, string>} */
const FIELD_LABELS = {
  reference: "Reference",
  occur_time: "Day or time",
  report_time: "Reported on",
  giver: "Who gave",
  receiver: "Who received",
  kind: "Kind",
  formality: "Formality",
  topics: "Topics",
  giver_minutes: "Minutes of the giver",
  receiver_minutes: "Minutes of the receiver",
  benefit_minutes: "Minutes of benefit",
  reported_by: "Reported by",
  note: "Note",
  parties: "All parties (joint)",
  direction: "Direction (gave, received, both)",
  organization: "Own organization",
  other: "Other organization",
  count: "Number of exchanges",
};

/** @param {string} field */
export function labelField(field) {
  return FIELD_LABELS[field] ?? field.replaceAll("_", " ");
}

/**
 * Such as "12 exchanges and 3 changes"; "" for nothing.
 * @param {Record<string, number>} counts rows by outcome
 */
export function describeAmount(counts) {
  const changed = counts.corrected + counts.agreed;
  return [
    counts.recorded ? plural(counts.recorded, "exchange") : "",
    changed ? plural(changed, "change") : "",
  ].filter(Boolean).join(" and ");
}

/**
 * What recording would do with the rows, as a sentence.
 * @param {{batch: string, counts: Record<string, number>}} report
 */
export function describeRows({ batch, counts }) {
  if (counts.rows && counts.unchanged === counts.rows) {
    return `${counts.rows === 1 ? "This row is" : `All ${plural(counts.rows, "row")} are`} already recorded in batch ${batch}: there is nothing to do.`;
  }
  const parts = [
    counts.recorded ? `${formatCount(counts.recorded)} new` : "",
    counts.corrected + counts.agreed ? `${formatCount(counts.corrected + counts.agreed)} changed since an earlier file` : "",
    counts.unchanged ? `${formatCount(counts.unchanged)} already recorded` : "",
    counts.retracted_earlier ? `${formatCount(counts.retracted_earlier)} retracted by hand, left so` : "",
    counts.skipped ? `${formatCount(counts.skipped)} repeated` : "",
    counts.wrong ? `${formatCount(counts.wrong)} with errors` : "",
  ].filter(Boolean);
  const missing = counts.missing ? ` ${plural(counts.missing, "exchange")} of an earlier file, not in this one, ${counts.missing === 1 ? "stays" : "stay"} as before.` : "";
  return `${plural(counts.rows, "row")}: ${parts.join(", ") || "none to record"}.${missing}`;
}
