// @ts-check
/** What is shown, kept in the address: a link restores it. */

/**
 * @typedef {object} State
 * @property {string} view
 * @property {Record<string, string[]>} values by parameter
 */

export const FILTERS = ["programme", "lens", "from", "to", "kind", "formality", "topic"];
/** Parameters that go along to another view. What one view alone has, such as an order, stays behind. */
const SHARED = [...FILTERS, "organization", "giver", "receiver"];
const MONTH = /^\d{4}-\d\d$/;

/** @returns {State} */
export function readState() {
  const parameters = new URLSearchParams(location.search);
  /** @type {Record<string, string[]>} */
  const values = {};
  for (const [key, value] of parameters) if (key !== "view" && value) (values[key] ??= []).push(value);
  return { view: parameters.get("view") ?? "", values };
}

/**
 * The address of a state, with these parameters changed; null removes one. Another view gets the
 * filters and the selection.
 * @param {State} state
 * @param {Record<string, string | string[] | null>} changes
 */
export function addressOf(state, changes = {}) {
  const view = "view" in changes ? changes.view : state.view;
  const kept = Object.entries(state.values).filter(([key]) => view === state.view || SHARED.includes(key));
  /** @type {Record<string, string | string[] | null>} */
  const values = { ...Object.fromEntries(kept), ...changes };
  const parameters = new URLSearchParams();
  if (view) parameters.set("view", String(view));
  for (const key of Object.keys(values).sort()) {
    if (key === "view") continue;
    for (const value of [values[key] ?? []].flat()) if (value) parameters.append(key, value);
  }
  return `?${parameters}`;
}

/**
 * The first day of the month that follows.
 * @param {string} month such as 2019-12
 */
export function nextMonth(month) {
  const [year, number] = month.split("-").map(Number);
  const next = number === 12 ? [year + 1, 1] : [year, number + 1];
  return `${String(next[0]).padStart(4, "0")}-${String(next[1]).padStart(2, "0")}`;
}

/** @param {string} text */
export function isMonth(text) {
  return MONTH.test(text);
}
