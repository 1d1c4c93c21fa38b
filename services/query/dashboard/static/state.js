// @ts-check
/** What is shown, kept in the address: a link restores it. */

/**
 * @typedef {object} State
 * @property {string} view
 * @property {Record<string, string[]>} values by parameter
 */

export const FILTERS = ["programme", "lens", "from", "to", "kind", "formality", "topic"];
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
 * The address of a state, with these parameters changed; null removes one.
 * @param {State} state
 * @param {Record<string, string | string[] | null>} changes
 */
export function addressOf(state, changes = {}) {
  /** @type {Record<string, string | string[] | null>} */
  const values = { ...state.values, ...changes };
  const parameters = new URLSearchParams();
  const view = "view" in changes ? changes.view : state.view;
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
