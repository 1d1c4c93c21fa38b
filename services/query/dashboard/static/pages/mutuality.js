// @ts-check
/** Ties and amounts that are returned, next to chance, period by period, and on whom that depends. */

import { card } from "../card.js";
import { drawChoice } from "../controls.js";
import { drawMutual } from "../mutual.js";
import { drawSeries } from "../series.js";
import { drawYardsticks } from "../shares.js";
import { formatCount, formatShare, plural } from "../format.js";
import { h, name, onWidth, replace } from "../dom.js";

export const parts = ["mutual"];
const PERIODS = [["month", "month"], ["quarter", "quarter"], ["year", "year"]];

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  /** @param {import("../app.js").Answers} answers */
  function update({ mutuality, mutual }) {
    const { ties, dependence, series } = mutuality.data;
    replace(host, h("div", { class: "grid overview" },
      mutual ? drawMutual(mutual) : card({ key: "mutual", title: "Is it mutual?", size: "whole", answer: null, empty: "Computing chance…" }),
      card({
        key: "ties", title: "Ties, whatever their amounts", size: "half", answer: mutuality, note: ties.sentence,
        empty: ties.returned === null ? "Choose more months, or clear a filter." : "",
        chart: (width) => drawYardsticks({ ...ties, ceiling: null }, width),
        below: [h("p", { class: "note" }, `${plural(ties.mutual_count, "pair")} with ties both ways, ${formatCount(ties.asymmetric_count)} one way, ${formatCount(ties.null_count)} without.`)],
        table: () => ({
          columns: ["measure", "value", "low", "high"],
          rows: [["ties", ties.tie_count, null, null], ["returned", ties.returned, null, null],
            ...ties.bands.map((/** @type {any} */ band) => [band.name, band.expected, band.low, band.high]),
            ["pairs_both_ways", ties.mutual_count, null, null], ["pairs_one_way", ties.asymmetric_count, null, null], ["pairs_without", ties.null_count, null, null]],
        }),
      }),
      card({
        key: "dependence", title: "What the returned part depends on", size: "half", answer: mutuality, note: dependence.sentence,
        empty: dependence.bands.length ? "" : "Choose more months, or clear a filter.",
        chart: (width) => drawYardsticks({ ...dependence, ceiling: null }, width),
        below: [h("ul", { class: "names" }, ...dependence.without.map((/** @type {any} */ each) => h("li", {},
          h("span", {}, "Without ", h("a", { href: page.address({ view: "organization", organization: each.id }) }, name(each.label))),
          h("span", { class: "amounts" }, formatShare(each.returned)))))],
        table: () => ({
          columns: ["measure", "organization_id", "returned", "low", "high"],
          rows: [...dependence.bands.map((/** @type {any} */ band) => [band.name, null, band.expected, band.low, band.high]),
            ...dependence.without.map((/** @type {any} */ each) => ["without", each.id, each.returned, null, null])],
        }),
      }),
      drawPeriods(mutuality, {
        key: "series", title: `Returned, by ${mutuality.data.period}`, value: "returned", bands: "bands",
        note: "Dots: what was returned. Left bars: chance, spread evenly; right bars: chance, shuffled; each holds 95% of the draws. Upper marks: the most that was possible.",
        above: h("div", { class: "tools" }, drawChoice(page, "By", "period", PERIODS, mutuality.data.period)),
        below: drawReasons(series),
      }),
      drawPeriods(mutuality, {
        key: "tie-series", title: `Ties returned, by ${mutuality.data.period}`, value: "ties_returned", bands: "ties_bands",
        note: "Dots: the share of ties with a tie back. Bars: chance, if all keep their numbers of ties.",
      })));
  }

  return { update };
}

/**
 * @param {import("../answers.js").Answer} mutuality
 * @param {{key: string, title: string, note: string, value: string, bands: string, above?: HTMLElement, below?: HTMLElement}} options
 */
function drawPeriods(mutuality, { key, title, note, value, bands, above, below }) {
  const { series, unplaced_count: unplaced } = mutuality.data;
  const points = series.map((/** @type {any} */ each) => ({
    label: each.label, value: each[value], bands: each[bands], ceiling: value === "returned" ? each.ceiling : null,
  }));
  const draw = (/** @type {number} */ width) => drawSeries({ points, width, label: title });
  const plot = h("div", { class: "plot" });
  onWidth(plot, (width) => replace(plot, draw(width)));
  return card({
    key, title, size: "whole", answer: mutuality,
    note: unplaced ? `${note} ${plural(unplaced, "exchange")} known only to a longer period left out.` : note,
    empty: series.length ? "" : "Choose more months, or clear a filter.",
    body: [above, plot, below], picture: draw,
    table: () => ({
      columns: ["period", "exchange_count", value, "ceiling", "yardstick", "expected", "low", "high", "reason"],
      rows: series.flatMap((/** @type {any} */ each) => (each[bands].length ? each[bands] : [null]).map((/** @type {any} */ band) => [
        each.label, each.exchange_count, each[value], each.ceiling, band?.name ?? null, band?.expected ?? null, band?.low ?? null, band?.high ?? null, each.reason])),
    }),
  });
}

/** @param {any[]} series */
function drawReasons(series) {
  const reasons = new Map();
  for (const each of series) if (each.reason) reasons.set(each.reason, [...(reasons.get(each.reason) ?? []), each.label]);
  return h("ul", { class: "note" }, ...[...reasons].map(([reason, labels]) => h("li", {}, `No verdict for ${labels.join(", ")}: ${reason}.`)));
}
