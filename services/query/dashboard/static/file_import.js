// @ts-check
/** Imports a file: dropped, previewed as often as something is chosen, then recorded, and undone. */

import { AnswerError } from "./answers.js";
import { chooseColumns, chooseKinds, chooseNames, chooseReading, typed } from "./import_choices.js";
import { askDoubts, listChanges, listErrors, listNewRows } from "./import_findings.js";
import { describeAmount, describeRows } from "./import_words.js";
import { dropArea } from "./drop_area.js";
import { fetchRules, sendFile, undoImport } from "./imports.js";
import { formatCount, plural } from "./format.js";
import { h, name, replace } from "./dom.js";
import { recallAnswers, rememberAnswers } from "./remembered_answers.js";
import { save } from "./csv.js";

/** @typedef {import("./import_choices.js").Word} Word */
/** @typedef {import("./import_choices.js").Party} Party */

/** Time for further letters or arrow keys in a list, before the file is read again. */
const PAUSE_MILLISECONDS = 250;

/**
 * @param {object} options
 * @param {() => string} options.programme
 * @param {() => Word[]} options.kinds
 * @param {() => Party[]} options.organizations
 * @returns {{area: HTMLElement, preview: HTMLElement, take: (files: File[]) => void}} `area` takes a
 *   file, `preview` shows what it would record
 */
export function fileImport({ programme, kinds, organizations }) {
  /** @type {import("./imports.js").ImportRules | null} */
  let rules = null;
  /** @type {File | null} */
  let file = null;
  /** @type {Record<string, any>} */
  let options = {};
  /** @type {any} the last preview */
  let found = null;
  const confirmed = new Set();
  let isReadingOpen = false;
  let isRecording = false;
  let run = new AbortController();
  let pause = 0;
  const areaPlace = h("div");
  const outcome = h("div", { class: "outcome", role: "status" });
  const area = h("section", { class: "card", "aria-labelledby": "card-import" },
    h("h2", { id: "card-import" }, "Import a file"), areaPlace, outcome);
  const status = h("p", { class: "import-status", role: "status" });
  const body = h("div", { class: "import-body" });
  const heading = h("h2", { id: "card-preview", tabindex: -1 });
  const preview = h("section", { class: "card import-preview", hidden: true, "aria-labelledby": "card-preview" }, heading, status, body);

  fetchRules().then((fetched) => {
    rules = fetched;
    replace(areaPlace, fetched.refusal ? h("p", { class: "empty" }, fetched.refusal)
      : dropArea({ suffixes: fetched.suffixes, onfiles: take }));
  }).catch((error) => sayProblem(outcome, error));

  /** @param {File[]} files */
  function take(files) {
    if (!rules || rules.refusal || isRecording || !files.length) return;
    if (files.length > 1) return replace(outcome, h("p", { class: "wrong" }, "Drop one file at a time."));
    const [chosen] = files;
    if (chosen.size > rules.max_file_bytes) {
      return replace(outcome, h("p", { class: "wrong" }, name(chosen.name), ` has ${formatMegabytes(chosen.size)}, and ${formatMegabytes(rules.max_file_bytes)} is the most here. `,
        h("span", { class: "aside" }, "The command mutua import exchanges takes files of any size.")));
    }
    file = chosen;
    options = {
      batch: "", map: {}, set: {}, sheet: "", header_row: 0, no_header: false, date_order: "", zone: "",
      party_separator: "", ...recallAnswers(programme()),
    };
    found = null;
    confirmed.clear();
    isReadingOpen = false;
    replace(outcome);
    replace(heading, name(chosen.name));
    replace(body);
    preview.hidden = false;
    preview.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
    ask();
  }

  /** @param {Record<string, any>} changes */
  function change(changes) {
    Object.assign(options, changes);
    confirmed.clear();
    body.setAttribute("aria-busy", "true"); // what is shown is of other options
    clearTimeout(pause);
    pause = window.setTimeout(ask, PAUSE_MILLISECONDS);
  }

  /** Asks what recording would do; a newer question replaces an older one. */
  async function ask() {
    clearTimeout(pause);
    run.abort();
    run = new AbortController();
    const { signal } = run;
    body.setAttribute("aria-busy", "true");
    status.textContent = "Checking…";
    try {
      found = await sendFile("preview", /** @type {File} */ (file), programme(), options, (progress) => {
        if (!signal.aborted) status.textContent = `Checking: ${plural(progress.checked_count ?? 0, "row")} so far`;
      }, signal);
      if (!signal.aborted) draw();
    } catch (error) {
      if (signal.aborted) return;
      status.textContent = "";
      body.removeAttribute("aria-busy");
      replace(body, describeProblem(error), h("p", {}, cancelButton()));
    }
  }

  function draw() {
    const { table, report, refusal, question } = found;
    isReadingOpen ||= Boolean(refusal);
    const reading = chooseReading(table, options, isReadingOpen, change);
    reading.addEventListener("toggle", () => { isReadingOpen = reading.hasAttribute("open"); });
    body.removeAttribute("aria-busy");
    status.textContent = report ? describeRows(report) : "";
    replace(body,
      refusal ? h("p", { class: "wrong" }, name(refusal)) : null,
      question ? askFirst(question) : null,
      table ? chooseColumns(table, /** @type {any} */ (rules), kinds(), options, change) : null,
      report ? chooseKinds(report.unknown_kinds, kinds(), options, change) : null,
      report ? chooseNames(report.new_names, organizations(), options, change) : null,
      report ? listErrors(report, downloadBadRows) : null,
      report ? listNewRows(report) : null,
      report ? listChanges(report) : null,
      report?.notes.length ? h("ul", { class: "import-notes note" }, ...report.notes.map((/** @type {string} */ note) => h("li", {}, name(note)))) : null,
      reading,
      ...(report ? askDoubts(report.doubts, confirmed, draw) : []),
      drawEnd());
  }

  /** What has to be decided before the rows can be checked. @param {string} question */
  function askFirst(question) {
    /** @param {string} label @param {Record<string, any>} changes */
    const choice = (label, changes) => h("button", { type: "button", class: "secondary", "data-key": label, onclick: () => change(changes) }, label);
    return h("p", { class: "row" }, ...(question === "date_order"
      ? [choice("Day first", { date_order: "day-first" }), choice("Month first", { date_order: "month-first" })]
      : [choice("No row has column names: read all rows", { no_header: true, header_row: 0, map: found.no_header_map }),
        choice("The first row has column names", { header_row: 1 })]));
  }

  function drawEnd() {
    const { report } = found;
    const amount = report?.ok ? describeAmount(report.counts) : "";
    const leftOut = amount && report.counts.wrong ? `, leave out ${plural(report.counts.wrong, "row")}` : "";
    const isOpen = report?.doubts.every((/** @type {any} */ doubt) => confirmed.has(doubt.option));
    return h("div", { class: "row import-end" },
      report ? h("div", { class: "field-block" }, h("label", { for: "batch" }, "Batch name"),
        typed("batch", { type: "text", maxlength: 200, dir: "auto" }, options.batch || report.batch, (batch) => change({ batch }))) : null,
      amount ? h("button", { type: "button", class: "primary", "data-key": "record", disabled: !isOpen, onclick: record }, `Record ${amount}${leftOut}`) : null,
      cancelButton());
  }

  function cancelButton() {
    return h("button", { type: "button", class: "quiet", "data-key": "cancel", onclick: close }, "Close without recording");
  }

  function close() {
    clearTimeout(pause);
    run.abort();
    file = found = null;
    preview.hidden = true;
    replace(body);
    document.getElementById("import-file")?.focus();
  }

  async function record() {
    if (body.hasAttribute("aria-busy")) return;
    const { report } = found;
    const confirmations = Object.fromEntries([...confirmed].map((option) => [option, true]));
    const asked = { ...options, ...confirmations, skip_bad: report.counts.wrong > 0 };
    isRecording = true;
    body.inert = true;
    try {
      const done = await sendFile("record", /** @type {File} */ (file), programme(), asked, ({ recorded_count, total_count, checked_count }) => {
        status.textContent = total_count ? `Recording: ${formatCount(recorded_count ?? 0)} of ${plural(total_count, "fact")}` : `Checking: ${plural(checked_count ?? 0, "row")} so far`;
      });
      if (!done.ok) {
        found = { ...found, report: done };
        draw();
        return;
      }
      rememberAnswers(programme(), /** @type {any} */ (options));
      close();
      replace(outcome, h("p", {}, "Batch ", name(done.batch), `: ${describeAmount(done.counts) || "nothing"} recorded. `, undoButton(done.batch)));
    } catch (error) {
      status.textContent = "";
      sayProblem(status, error);
    } finally {
      isRecording = false;
      body.inert = false;
    }
  }

  /** @param {string} batch */
  function undoButton(batch) {
    return h("button", { type: "button", class: "quiet", onclick: async () => {
      replace(outcome, h("p", {}, "Undoing…"));
      try {
        const done = await undoImport({ batch }, programme(), () => {});
        replace(outcome, h("p", {}, "Batch ", name(batch), ` undone: ${plural(done.retracted_count, "exchange")} retracted.`));
      } catch (error) {
        sayProblem(outcome, error);
      }
    } }, "Undo");
  }

  async function downloadBadRows() {
    try {
      const done = await sendFile("bad-rows", /** @type {File} */ (file), programme(), options, () => {}, run.signal);
      save(done.file, new Blob(["\ufeff", done.content], { type: "text/csv" }));
    } catch (error) {
      if (!run.signal.aborted) sayProblem(status, error);
    }
  }

  return { area, preview, take };
}

/** @param {Element} place @param {unknown} error */
function sayProblem(place, error) {
  replace(place, describeProblem(error));
}

/** @param {unknown} error */
function describeProblem(error) {
  if (!(error instanceof AnswerError)) throw error;
  return h("p", { class: "wrong" }, name(error.message),
    error.remedy && !error.message.includes(error.remedy) ? h("span", { class: "aside" }, " ", name(error.remedy)) : null);
}

/** @param {number} bytes */
function formatMegabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}
