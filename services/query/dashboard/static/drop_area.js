// @ts-check
/** Where a file is dropped, or chosen with a button that the keyboard reaches too. */

import { h } from "./dom.js";

/**
 * @param {object} options
 * @param {string[]} options.suffixes
 * @param {(files: File[]) => void} options.onfiles
 * @returns {HTMLElement}
 */
export function dropArea({ suffixes, onfiles }) {
  const input = /** @type {HTMLInputElement} */ (h("input", {
    id: "import-file", type: "file", accept: suffixes.join(","), "data-key": "import-file",
    onchange: () => {
      onfiles([...input.files ?? []]);
      input.value = ""; // so that the same file can be chosen again
    },
  }));
  return h("div", { class: "drop-area" },
    h("label", { for: "import-file" }, "Drop a file here, or choose one"), input,
    h("p", { class: "note" }, "CSV or Excel, also OpenDocument. Nothing is recorded before you have seen it."));
}

/**
 * Takes files that are dropped anywhere on an element, which a browser would otherwise open.
 * @param {HTMLElement} host
 * @param {(files: File[]) => void} onfiles
 */
export function takeDrops(host, onfiles) {
  let depth = 0;
  const mark = (/** @type {number} */ change) => {
    depth = change ? Math.max(0, depth + change) : 0;
    host.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  host.addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(1); });
  host.addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(-1); });
  host.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  host.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(0);
    onfiles([...event.dataTransfer?.files ?? []]);
  });
}
