// @ts-check
/** The card that says how mutual the exchange is. */

import { card } from "./card.js";
import { drawMutualPicture, drawShares, drawYardsticks } from "./shares.js";
import { formatShare } from "./format.js";
import { h, onWidth, replace } from "./dom.js";

/** @param {import("./answers.js").Answer} mutual */
export function drawMutual(mutual) {
  const { data } = mutual;
  const parts = h("div", { class: "plot" });
  const yardsticks = h("div", { class: "plot" });
  onWidth(parts, (width) => replace(parts, drawShares(data, width)));
  onWidth(yardsticks, (width) => replace(yardsticks, drawYardsticks(data, width)));
  return card({
    key: "mutual", title: "Is it mutual?", answer: mutual, size: "whole", note: data.verdict,
    empty: data.shares.length ? "" : "Choose more months, or clear a filter.",
    picture: (width) => drawMutualPicture(data, width),
    body: [h("div", { class: "halves" },
      h("div", {},
        h("h3", {}, "What becomes of it"), parts,
        h("ul", { class: "legend" }, ...data.shares.map((/** @type {any} */ part) => h("li", { class: part.name },
          h("strong", {}, `${part.label} ${formatShare(part.share)}`), ` ${part.meaning}`)))),
      data.bands.length ? h("div", {}, h("h3", {}, "Returned, next to chance"), yardsticks) : null)],
    table: () => ({
      columns: ["measure", "share", "low", "high"],
      rows: [
        ...data.shares.map((/** @type {any} */ part) => [part.name, part.share, null, null]),
        ...data.bands.map((/** @type {any} */ band) => [band.name, band.expected, band.low, band.high]),
        ["ceiling", data.ceiling, null, null],
      ],
    }),
  });
}
