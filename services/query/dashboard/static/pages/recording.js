// @ts-check
/** Records a usual exchange with the keyboard alone, or a file, and takes either back. */

import { AnswerError } from "../answers.js";
import { card } from "../card.js";
import { combobox } from "../combobox.js";
import { fileImport } from "../file_import.js";
import { formatMinutes } from "../format.js";
import { h, name, replace } from "../dom.js";
import { importedFiles } from "../imported_files.js";
import { makeEvent, record } from "../facts.js";
import { takeDrops } from "../drop_area.js";

export const hasFilters = false;
const USUAL_KINDS = ["message", "call", "meeting", "document", "webinar", "visit"];

/** @typedef {{id: string, label: string}} Party */

/**
 * @param {Element} host
 * @param {import("../app.js").Page} page
 */
export function mount(host, page) {
  /** @type {import("../app.js").Answers} */
  let answers = {};
  /** @type {Party | null} */
  let giver = null;
  /** @type {Party | null} */
  let receiver = null;
  /** @type {{key: string, event: any} | null} what was sent without an answer */
  let unanswered = null;
  const formPlace = h("div");
  const outcome = h("div", { class: "outcome", role: "status" });
  const latestPlace = h("div", { class: "stack" });
  const programme = () => page.state.values.programme?.[0] ?? "";
  const importing = fileImport({
    programme,
    kinds: () => answers.programme.data.kinds,
    organizations: () => answers.programme.data.organizations,
  });
  const imported = importedFiles(programme);
  let isDrawn = false;

  /** @param {import("../app.js").Answers} latest */
  function update(latest) {
    answers = latest;
    if (!answers.programme) return;
    if (!isDrawn) {
      isDrawn = true;
      [giver, receiver] = [findParty("log_giver"), findParty("log_receiver")];
      const grid = h("div", { class: "grid recording" },
        h("div", { class: "stack" },
          h("section", { class: "card", "aria-labelledby": "card-form" },
            h("h2", { id: "card-form" }, "Log an exchange"),
            h("p", { class: "note" }, "Who gave, who received, what it was and how long it took the giver."),
            formPlace, outcome),
          importing.area),
        h("div", { class: "stack" }, latestPlace, imported.element),
        importing.preview);
      takeDrops(grid, importing.take);
      replace(host, grid);
      drawForm(page.state.values.log_topic?.[0]);
    }
    drawLatest();
    imported.update(answers.recording);
  }

  /** @param {string} parameter of a link to the form @returns {Party | null} */
  function findParty(parameter) {
    const [id] = page.state.values[parameter] ?? [];
    return answers.programme.data.organizations.find((/** @type {Party} */ party) => party.id === id) ?? null;
  }

  /** @param {string} [topic] chosen at first */
  function drawForm(topic) {
    const { recording } = answers;
    const { kinds, topics } = answers.programme.data;
    const usual = kinds.filter((/** @type {{word: string}} */ kind) => USUAL_KINDS.includes(kind.word));
    const form = /** @type {HTMLFormElement} */ (h("form", { class: "log", onsubmit: submit },
      h("div", { class: "row" },
        combobox({
          id: "giver", label: "Who gave", placeholder: "Name", takesNew: true, selected: giver,
          parties: () => sortByRecency(0, null), onselect: (party) => { giver = party; },
        }),
        combobox({
          id: "receiver", label: "Who received", placeholder: "Name", takesNew: true, selected: receiver,
          parties: () => sortByRecency(1, giver), onselect: (party) => { receiver = party; },
        })),
      choices("Kind", "kind", usual.map((/** @type {{word: string, label: string}} */ kind) => [kind.word, kind.label]), "call"),
      picks([
        ["more", "Another kind", kinds.filter((/** @type {{word: string}} */ kind) => !USUAL_KINDS.includes(kind.word))],
        ["topic", "Topic, if any", topics],
      ], topic),
      choices("Effort of the giver", "minutes", [
        ...recording.data.effort_minutes.map((/** @type {number} */ minutes) => [String(minutes), formatMinutes(minutes)]),
        ["", "Not known"]], "30"),
      h("div", { class: "row" },
        h("div", { class: "field-block" }, h("label", { for: "day" }, "Day"),
          h("input", { id: "day", name: "day", type: "date", required: true, max: recording.data.today, value: recording.data.today })),
        h("div", { class: "field-block wide" }, h("label", { for: "note" }, "Note, if any"),
          h("input", { id: "note", name: "note", type: "text", maxlength: 4000, autocomplete: "off", dir: "auto" }))),
      h("button", { type: "submit", class: "primary" }, "Record")));
    replace(formPlace, form);
    const fields = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("input[role=combobox]")]);
    (fields.find((field) => !field.value) ?? fields[0]).focus();
  }

  /**
   * Those who exchanged lately come first: with the giver, if one is chosen.
   * @param {0 | 1} side
   * @param {Party | null} other
   */
  function sortByRecency(side, other) {
    const order = new Map();
    for (const pair of answers.recording.data.partners) {
      if (other && pair[1 - side] !== other.id) continue;
      if (!order.has(pair[side])) order.set(pair[side], order.size);
    }
    const place = (/** @type {Party} */ party) => order.get(party.id) ?? Infinity;
    /** @type {Party[]} */
    const parties = answers.programme.data.organizations.filter((/** @type {Party} */ party) => party.id !== other?.id);
    return [...parties].sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const missing = !giver ? "giver" : !receiver ? "receiver" : giver.id === receiver.id ? "receiver" : "";
    if (missing) {
      say(h("p", { class: "wrong" }, giver && receiver ? "An organization does not give to itself." : `Choose who ${missing === "giver" ? "gave" : "received"}.`));
      /** @type {HTMLElement} */ (form.querySelector(`#${missing}`)).focus();
      return;
    }
    const fields = new FormData(form);
    const minutes = String(fields.get("minutes"));
    const exchange = {
      giver_ids: [/** @type {Party} */ (giver).id], receiver_ids: [/** @type {Party} */ (receiver).id],
      kind: `EXCHANGE_KIND_${String(fields.get("more") || fields.get("kind")).toUpperCase().replaceAll("-", "_")}`,
      ...(minutes ? { giver_minutes: Number(minutes) } : {}),
      ...(fields.get("topic") ? { topics: [fields.get("topic")] } : {}),
      ...(fields.get("note") ? { note: { plain: fields.get("note") } } : {}),
    };
    const fact = { occur_time: `${fields.get("day")}T00:00:00Z`, occur_precision: "OCCUR_PRECISION_DAY", exchange_recorded: { exchange } };
    const words = [name(/** @type {Party} */ (giver).label), " to ", name(/** @type {Party} */ (receiver).label), minutes ? `, ${formatMinutes(Number(minutes))}` : ""];
    const sent = await send(fact);
    if (!sent) return;
    [giver, receiver] = [null, null];
    drawForm();
    say(h("p", {}, "Recorded: ", ...words, ". ", h("button", { type: "button", class: "quiet", onclick: () => undo(sent.event_id) }, "Undo")));
  }

  /** @param {string} exchangeId */
  async function undo(exchangeId) {
    const sent = await send({ exchange_retracted: { exchange_id: exchangeId, reason: { plain: "Undone in the dashboard" } } });
    if (sent) {
      say(h("p", {}, "Undone: it counts nowhere."));
      /** @type {HTMLElement | null} */ (formPlace.querySelector("input"))?.focus();
    }
  }

  /**
   * Sends a fact; the same one again has the same id.
   * @param {object} fact
   */
  async function send(fact) {
    const key = JSON.stringify(fact);
    const event = unanswered?.key === key ? unanswered.event : makeEvent(fact, programme());
    unanswered = { key, event };
    try {
      await record(event);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      say(h("p", { class: "wrong" }, name(error.message), error.remedy ? h("span", { class: "aside" }, " ", name(error.remedy)) : null));
      return null;
    }
    unanswered = null;
    return event;
  }

  /** @param {Node} message */
  function say(message) {
    replace(outcome, message);
  }

  function drawLatest() {
    const { recording } = answers;
    const { latest } = recording.data;
    replace(latestPlace, card({
      key: "latest", title: "Recorded last", answer: recording,
      empty: latest.length ? "" : "Nothing has been recorded yet.",
      body: [h("ul", { class: "names exchanges-list" }, ...latest.map((/** @type {any} */ each) => h("li", {},
        h("div", { class: "exchange" }, h("strong", {}, each.day), each.minutes === null ? null : h("span", { class: "amounts" }, formatMinutes(each.minutes))),
        h("div", {}, name(each.givers), each.receivers ? h("span", {}, " to ", name(each.receivers)) : " together"),
        h("div", { class: "aside" }, name([each.kind, ...each.topics].join(", "))))))],
      table: () => ({
        columns: ["exchange_id", "day", "givers", "receivers", "kind", "giver_minutes"],
        rows: latest.map((/** @type {any} */ each) => [each.id, each.day, each.givers, each.receivers, each.kind, each.minutes]),
      }),
    }));
  }

  return { update };
}

/**
 * @param {string} legend @param {string} field @param {string[][]} words value and label @param {string} chosen
 */
function choices(legend, field, words, chosen) {
  return h("fieldset", {}, h("legend", {}, legend), h("div", { class: "segments wrap" }, ...words.map(([word, label]) => h("label", {},
    h("input", { type: "radio", name: field, value: word, checked: word === chosen }), h("span", {}, label)))));
}

/**
 * Lists with nothing chosen at first, or one word.
 * @param {[string, string, {word: string, label: string}[]][]} lists field, label and words
 * @param {string} [chosen]
 */
function picks(lists, chosen) {
  return h("div", { class: "row" }, ...lists.filter(([, , words]) => words.length).map(([field, label, words]) => h("div", { class: "field-block" },
    h("label", { for: field }, label),
    h("select", { id: field, name: field }, h("option", { value: "" }, "–"), ...words.map(({ word, label: text }) => h("option", { value: word, selected: word === chosen }, text))))));
}
