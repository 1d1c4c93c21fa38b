// @ts-check
/** The last imported files, each of which can be undone. */

import { AnswerError } from "./answers.js";
import { card } from "./card.js";
import { h, name, replace } from "./dom.js";
import { plural } from "./format.js";
import { undoImport } from "./imports.js";

/**
 * @param {() => string} programme
 * @returns {{element: HTMLElement, update: (recording: import("./answers.js").Answer) => void}}
 */
export function importedFiles(programme) {
  const element = h("div", { class: "stack" });
  /** @type {string | null} the batch whose undo is to be confirmed */
  let undoing = null;
  let problem = "";
  /** @type {import("./answers.js").Answer} */
  let recording;

  function draw() {
    const { batches } = recording.data;
    replace(element, card({
      key: "imported-files", title: "Imported files", answer: recording,
      empty: batches.length ? "" : "No file has been imported yet.",
      body: [
        problem ? h("p", { class: "wrong" }, name(problem)) : null,
        h("ul", { class: "names" }, ...batches.map(drawBatch)),
      ],
      table: () => ({
        columns: ["batch", "recorded_for", "last_day", "exchange_count", "counted_count"],
        rows: batches.map((/** @type {any} */ each) => [each.batch, each.recorded_by, each.day, each.exchange_count, each.counted_count]),
      }),
    }));
  }

  /** @param {any} batch */
  function drawBatch(batch) {
    const key = JSON.stringify([batch.batch, batch.recorded_by]);
    const amount = plural(batch.counted_count, "exchange");
    /** @param {string} label @param {() => void} act @param {string} what */
    const button = (label, act, what) => h("button", { type: "button", class: "quiet", "data-key": `${what} ${key}`, "aria-label": `${label} of ${batch.label}`, onclick: act }, label);
    return h("li", {},
      h("span", {}, name(batch.label), h("span", { class: "aside" }, ` ${batch.day}${batch.recorded_by ? `, for ${batch.recorded_by}` : ""}`)),
      batch.counted_count === 0 ? h("span", { class: "aside" }, "undone")
        : undoing === key
          ? h("span", {}, button(`Retract ${amount}`, () => undo(batch), "undo"), button("Keep", () => { undoing = null; draw(); }, "keep"))
          : h("span", {}, amount, button("Undo", () => { undoing = key; draw(); }, "undo")));
  }

  /** @param {any} batch */
  async function undo(batch) {
    problem = "";
    try {
      await undoImport(batch, programme(), () => {});
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      problem = error.message;
    }
    undoing = null;
    draw();
  }

  return {
    element,
    update: (latest) => {
      recording = latest;
      draw();
    },
  };
}
