// @ts-check
/** Rows of a chart that can be chosen: one tab stop, and arrow keys from row to row. */

/**
 * @param {KeyboardEvent} event on the element with the role listbox
 * @param {(index: number) => void} onselect
 */
export function pressInListbox(event, onselect) {
  const options = [.../** @type {Element} */ (event.currentTarget).querySelectorAll("[role=option]")];
  const at = options.indexOf(/** @type {Element} */ (document.activeElement));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: options.length - 1 }[event.key];
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    if (at >= 0) onselect(at);
  } else if (to !== undefined && options[to]) {
    event.preventDefault();
    options.forEach((option, index) => option.setAttribute("tabindex", index === to ? "0" : "-1"));
    /** @type {SVGElement} */ (options[to]).focus();
  }
}
