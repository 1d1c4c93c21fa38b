// @ts-check
/** Controls that several pages have. */

import { formatCount } from "./format.js";
import { h } from "./dom.js";

/**
 * A button for the rest of a list.
 * @param {number} hidden
 * @param {string} key of the button, which keeps the focus
 * @param {() => void} onshow
 */
export function moreButton(hidden, key, onshow) {
  return h("button", { type: "button", class: "quiet", "data-key": key, onclick: onshow }, `Show ${formatCount(hidden)} more`);
}

/**
 * A list to choose a parameter of the page from.
 * @param {import("./app.js").Page} page
 * @param {string} label
 * @param {string} parameter
 * @param {string[][]} options words with their labels
 * @param {string} chosen
 */
export function drawChoice(page, label, parameter, options, chosen) {
  return h("label", {}, `${label} `, h("select", {
    "data-key": parameter, "aria-label": label,
    onchange: (event) => page.go({ [parameter]: /** @type {HTMLSelectElement} */ (event.target).value }),
  }, ...options.map(([word, text]) => h("option", { value: word, selected: word === chosen }, text))));
}
