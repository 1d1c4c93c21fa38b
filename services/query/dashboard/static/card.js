// @ts-check
/** A card: a chart or a list with its title, what it rests on, and ways to take it along. */

import { save, toCsv } from "./csv.js";
import { formatCount } from "./format.js";
import { h, name, onWidth, replace } from "./dom.js";
import { toPngBlob, toSvgBlob } from "./picture.js";

const PICTURE_WIDTH = 760;

/** @typedef {import("./csv.js").Table} Table */
/** @typedef {import("./dom.js").Child} Child */

/**
 * @typedef {object} CardOptions
 * @property {string} key unique in the view; the name of files
 * @property {string} title
 * @property {string} [note]
 * @property {string} [empty] shown instead of the body
 * @property {(width: number) => SVGElement} [chart] draws into a width
 * @property {(width: number) => SVGElement} [picture] what is taken along, if it is not the chart
 * @property {Child[]} [body]
 * @property {Child[]} [below] after the chart
 * @property {() => Table} [table] the data behind it
 * @property {{question: string, coverage: string} | null} answer
 * @property {string} [size] a class for the place in the grid
 */

/**
 * @param {CardOptions} options
 * @returns {HTMLElement}
 */
export function card(options) {
  const plot = h("div", { class: "plot" });
  if (options.chart && !options.empty) {
    const draw = options.chart;
    onWidth(plot, (width) => replace(plot, draw(width)));
  }
  const tablePlace = h("div", { class: "table-place", hidden: true });
  return h("section", { class: `card ${options.size ?? ""}`, "aria-labelledby": `card-${options.key}` },
    h("div", { class: "card-head" },
      h("h2", { id: `card-${options.key}` }, options.title),
      !options.empty && options.answer && makeMenu(options, plot, tablePlace)),
    options.note && h("p", { class: "note" }, options.note),
    options.empty ? h("p", { class: "empty" }, options.empty) : null,
    !options.empty && options.chart ? plot : null,
    ...(options.empty ? [] : options.body ?? []),
    ...(options.empty ? [] : options.below ?? []),
    tablePlace,
    options.answer && h("p", { class: "coverage" }, options.answer.coverage));
}

/**
 * @param {CardOptions} options
 * @param {HTMLElement} plot
 * @param {HTMLElement} tablePlace
 */
function makeMenu(options, plot, tablePlace) {
  const { answer, table } = options;
  const draw = options.picture ?? options.chart;
  if (!answer || (!draw && !table)) return null;
  const caption = { title: options.title, question: answer.question, coverage: answer.coverage };
  const fileName = `mutua-${options.key}`;
  /** @param {(chart: SVGSVGElement) => Blob | Promise<Blob>} take @param {string} ending */
  const savePicture = async (take, ending) => {
    const chart = options.picture ? options.picture(PICTURE_WIDTH) : plot.querySelector("svg");
    if (!(chart instanceof SVGSVGElement)) return;
    if (!chart.isConnected) tablePlace.after(h("div", { class: "offstage" }, chart));
    save(`${fileName}.${ending}`, await take(chart));
    chart.closest(".offstage")?.remove();
  };
  /** @param {string} label @param {() => void | Promise<void>} act */
  const item = (label, act) => h("button", {
    type: "button",
    onclick: async () => {
      menu.removeAttribute("open");
      await act();
    },
  }, label);
  const menu = h("details", { class: "menu download", "data-key": `menu-${options.key}` },
    h("summary", { "aria-label": `Download ${options.title}` }, "Download"),
    h("div", { class: "sheet" },
      draw && item("Picture (PNG)", () => savePicture((chart) => toPngBlob(chart, caption), "png")),
      draw && item("Picture (SVG)", () => savePicture((chart) => toSvgBlob(chart, caption), "svg")),
      table && item("Data (CSV)", () => save(`${fileName}.csv`, new Blob([toCsv(table())], { type: "text/csv" }))),
      table && item("Show as table", () => {
        tablePlace.hidden = !tablePlace.hidden;
        if (!tablePlace.hidden) replace(tablePlace, makeTable(table(), options.title));
      })));
  return menu;
}

/**
 * @param {Table} table
 * @param {string} caption
 */
export function makeTable(table, caption) {
  const isNumber = table.columns.map((_, index) => table.rows.some((row) => typeof row[index] === "number"));
  /** @param {string | number | null} value */
  const cell = (value) => (value === null ? "–" : typeof value === "number" ? formatCount(value) : name(value));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${caption}, as a table` },
    h("table", {},
      h("thead", {}, h("tr", {}, ...table.columns.map((column, index) => h("th",
        { scope: "col", class: isNumber[index] ? "number" : null }, column.replaceAll("_", " "))))),
      h("tbody", {}, ...table.rows.map((row) => h("tr", {}, ...row.map((value, index) => h("td",
        { class: isNumber[index] ? "number" : null }, cell(value))))))));
}

/** Menus close with Escape and with a click elsewhere, as people expect. */
export function closeMenusOutside() {
  const close = (/** @type {(menu: Element) => boolean} */ isLeft) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (isLeft(menu)) menu.removeAttribute("open");
    }
  };
  document.addEventListener("pointerdown", (event) => {
    close((menu) => !menu.contains(/** @type {Node} */ (event.target)));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest("details.menu[open]");
    close(() => true);
    if (menu) menu.querySelector("summary")?.focus();
  });
}
