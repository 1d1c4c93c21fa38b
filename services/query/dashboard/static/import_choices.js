// @ts-check
/** What somebody chooses before a file is recorded: columns, kinds, names, and how it is read. */

import { h, name } from "./dom.js";
import { labelField } from "./import_words.js";
import { plural } from "./format.js";

const MAX_LISTED = 20;

/** @typedef {{word: string, label: string}} Word */
/** @typedef {{id: string, label: string}} Party */
/** @typedef {(changes: Record<string, any>) => void} OnChange changes options of the import */

/**
 * The columns with samples, and a list of fields for each.
 * @param {any} table
 * @param {import("./imports.js").ImportRules} rules
 * @param {Word[]} kinds
 * @param {Record<string, any>} options
 * @param {OnChange} onchange
 */
export function chooseColumns(table, rules, kinds, options, onchange) {
  const sources = new Map(table.columns.map((/** @type {any} */ column) => [column.field, column.name]));
  const before = { map: { ...options.map }, set: { ...options.set } };
  /** @type {Map<any, string>} Typing in a list passes through fields; the last one counts. */
  const picked = new Map();
  /** @param {any} column @param {string} field */
  const assign = (column, field) => {
    picked.set(column, field);
    const [map, set] = [{ ...before.map }, { ...before.set }];
    for (const each of picked.keys()) {
      for (const key of Object.keys(map)) if (map[key] === each.name) map[key] = "";
      if (each.field) map[each.field] = "";
    }
    for (const [each, meaning] of picked) {
      if (meaning) map[meaning] = each.name;
      delete set[meaning];
    }
    onchange({ map, set });
  };
  return h("section", { "aria-label": "Columns" }, h("h3", {}, "Columns"),
    table.missing_fields.length ? h("p", { class: "wrong" }, `Choose a column for ${table.missing_fields.map(labelField).join(", ")}.`) : null,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Columns of the file" }, h("table", { class: "import-columns" },
      h("thead", {}, h("tr", {}, ...["Column", "First values", "Is read as"].map((label) => h("th", { scope: "col" }, label)))),
      h("tbody", {}, ...table.columns.map((/** @type {any} */ column, /** @type {number} */ index) => h("tr", {},
        h("th", { scope: "row" }, name(column.label)),
        h("td", { class: "aside" }, name(column.samples.join(" · ") || "empty")),
        h("td", {}, pick(`column-${index}`, `What ${column.label} is read as`, column.field,
          [["", "– not read –"], ...rules.fields.map((field) => [field.name, labelField(field.name) + (sources.has(field.name) && field.name !== column.field ? " (instead)" : "")])],
          (field) => assign(column, field)))))))),
    table.missing_fields.includes("kind") || options.set.kind ? h("p", {}, h("label", { for: "set-kind" }, "Kind of all rows "),
      pick("set-kind", "", options.set.kind ?? "", [["", "–"], ...kinds.map(({ word, label }) => [word, label])],
        (kind) => onchange({ set: kind ? { ...options.set, kind } : withoutKind(options.set), map: withoutKind(options.map) }))) : null);
}

/** @param {Record<string, string>} assignments */
function withoutKind({ kind: _, ...others }) {
  return others;
}

/**
 * Words that mean no kind of ours, and those that were chosen.
 * @param {string[]} unknown
 * @param {Word[]} kinds
 * @param {Record<string, any>} options
 * @param {OnChange} onchange
 */
export function chooseKinds(unknown, kinds, options, onchange) {
  const words = [...new Set([...unknown, ...Object.keys(options.kind_map)])];
  if (!words.length) return null;
  return answers("Kinds", "Words of the file that are no kind of exchange here. Choose what each means.", words.slice(0, MAX_LISTED).map((word, index) => ({
    label: name(word), isOpen: unknown.includes(word),
    control: pick(`kind-${index}`, `Kind that ${word} means`, options.kind_map[word] ?? "",
      [["", "– choose –"], ...kinds.map(({ word: kind, label }) => [kind, label])],
      (kind) => onchange({ kind_map: answer(options.kind_map, word, kind) })),
  })), words.length);
}

/**
 * Names that the roster does not have, with near misses first, and those that were chosen.
 * @param {{name: string, row_count: number, similar: Party[]}[]} newNames
 * @param {Party[]} organizations
 * @param {Record<string, any>} options
 * @param {OnChange} onchange
 */
export function chooseNames(newNames, organizations, options, onchange) {
  const answered = Object.keys(options.name_map).map((text) => ({ name: text, row_count: 0, similar: /** @type {Party[]} */ ([]) }));
  const names = [...newNames, ...answered];
  if (!names.length) return null;
  return answers("Names", "Not on the roster. Each counts as an organization of its own, unless it is another spelling of one below.", names.slice(0, MAX_LISTED).map((each, index) => ({
    label: h("span", {}, name(each.name), h("span", { class: "aside" },
      each.row_count ? ` ${plural(each.row_count, "row")}` : "", each.similar.length ? ". Did you mean " : "", ...each.similar.length ? [name(each.similar.map(({ label }) => label).join(" or ")), "?"] : [])),
    isOpen: each.similar.length > 0,
    control: pickParty(`name-${index}`, `Organization that ${each.name} means`, options.name_map[each.name] ?? "", each.similar, organizations,
      (id) => onchange({ name_map: answer(options.name_map, each.name, id) })),
  })), names.length);
}

/** @param {Record<string, string>} map @param {string} word @param {string} meaning "" forgets it */
function answer(map, word, meaning) {
  const { [word]: _, ...others } = map;
  return meaning ? { ...others, [word]: meaning } : others;
}

/**
 * @param {string} title @param {string} note
 * @param {{label: Node, isOpen: boolean, control: Node}[]} rows @param {number} total
 */
function answers(title, note, rows, total) {
  return h("section", { "aria-label": title }, h("h3", {}, title), h("p", { class: "note" }, note),
    h("ul", { class: "names import-answers" }, ...rows.map(({ label, isOpen, control }) => h("li", { class: isOpen ? "open" : null }, label, control))),
    total > rows.length ? h("p", { class: "note" }, `and ${total - rows.length} more`) : null);
}

/**
 * How the file is read, beyond its columns.
 * @param {any} table null if it could not be opened
 * @param {Record<string, any>} options
 * @param {boolean} isOpen
 * @param {OnChange} onchange
 */
export function chooseReading(table, options, isOpen, onchange) {
  const sheets = table?.sheets ?? [];
  return h("details", { class: "reading", open: isOpen, "data-key": "reading" }, h("summary", { "data-key": "reading-summary" }, "Reading: sheet, row of the column names, order of dates, zone"),
    h("div", { class: "row" },
      sheets.length > 1 ? field("Sheet", "sheet", pick("sheet", "", table.sheet, sheets.map((/** @type {string} */ sheet) => [sheet, sheet]), (sheet) => onchange({ sheet, map: {} }))) : null,
      field("Row of the column names", "header-row", typed("header-row", { type: "number", min: 1, placeholder: "found" }, options.header_row || "",
        (text) => onchange({ header_row: Number(text) || 0, no_header: false, map: {} }))),
      field("Order of dates", "date-order", pick("date-order", "", options.date_order, [["", "As the rows show"], ["day-first", "Day first"], ["month-first", "Month first"]], (date_order) => onchange({ date_order }))),
      field("Zone of times", "zone", typed("zone", { type: "text", placeholder: "UTC", list: "zones" }, options.zone, (zone) => onchange({ zone }))),
      field("Several organizations in a cell", "separator", pick("separator", "", options.party_separator, [["", "Separated by ; or |"], [",", "Also by commas"], [";", "Commas are part of names"]], (party_separator) => onchange({ party_separator })))),
    h("datalist", { id: "zones" }, ...Intl.supportedValuesOf("timeZone").map((zone) => h("option", { value: zone }))),
    options.no_header ? h("p", {}, h("button", { type: "button", class: "quiet", "data-key": "with-header", onclick: () => onchange({ no_header: false, map: {} }) }, "The first row has column names")) : null);
}

/** @param {string} label @param {string} id @param {Node} control */
function field(label, id, control) {
  return h("div", { class: "field-block" }, h("label", { for: id }, label), control);
}

/**
 * A list of values and labels.
 * @param {string} id @param {string} label "" if another element labels it @param {string} chosen
 * @param {string[][]} words @param {(word: string) => void} onpick
 */
export function pick(id, label, chosen, words, onpick) {
  const select = /** @type {HTMLSelectElement} */ (h("select", {
    id, "aria-label": label || null, "data-key": id, onchange: () => onpick(select.value),
  }, ...words.map(([word, text]) => h("option", { value: word, selected: word === chosen }, text))));
  return select;
}

/**
 * A list with the near misses; all organizations follow when somebody opens it.
 * @param {string} id @param {string} label @param {string} chosen @param {Party[]} similar
 * @param {Party[]} organizations @param {(id: string) => void} onpick
 */
function pickParty(id, label, chosen, similar, organizations, onpick) {
  const named = organizations.find((each) => each.id === chosen);
  const first = [["", "New organization"], ...similar.map((each) => [each.id, `It is ${each.label}`])];
  if (chosen && !similar.some((each) => each.id === chosen)) first.push([chosen, `It is ${named?.label ?? chosen}`]);
  const select = pick(id, label, chosen, first, onpick);
  select.addEventListener("focus", () => {
    select.append(h("optgroup", { label: "All organizations" }, ...organizations.map((each) => h("option", { value: each.id }, each.label))));
  }, { once: true });
  return select;
}

/**
 * @param {string} id @param {Record<string, string | number>} attributes @param {string | number} value
 * @param {(text: string) => void} onenter
 */
export function typed(id, attributes, value, onenter) {
  const input = /** @type {HTMLInputElement} */ (h("input", { id, autocomplete: "off", "data-key": id, ...attributes, value, onchange: () => onenter(input.value.trim()) }));
  return input;
}
