// @ts-check
/** Commands to copy. */

import { h } from "./dom.js";

const COPIED_MILLISECONDS = 2_000;

/**
 * A command with a button that copies it, where the browser allows that.
 * @param {string} text
 */
export function drawCommand(text) {
  const button = h("button", {
    type: "button", class: "quiet", "aria-label": `Copy ${text}`,
    onclick: async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), COPIED_MILLISECONDS);
    },
  }, "Copy");
  return h("span", { class: "command" }, h("code", {}, h("bdi", {}, text)), navigator.clipboard ? button : null);
}
