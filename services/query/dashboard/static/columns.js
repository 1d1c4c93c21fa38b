// @ts-check
/** Exchanges by month, as columns that can be clicked. */

import { formatCount, formatMonth, makeTicks } from "./format.js";
import { cut } from "./text.js";
import { s } from "./dom.js";

/**
 * @param {object} options
 * @param {{month: string, exchange_count: number, recorded_count: number, roster_count: number}[]} options.months
 * @param {number} options.width
 * @param {(month: string) => void} options.onselect
 */
export function drawColumns({ months, width, onselect }) {
  const [left, top, plot, foot, strip] = [36, 12, 150, 24, 46];
  const ticks = makeTicks(Math.max(1, ...months.map((each) => each.exchange_count)), 4);
  const scale = plot / ticks[ticks.length - 1];
  const base = top + plot;
  const step = (width - left - 4) / Math.max(1, months.length);
  const every = Math.ceil(months.length / Math.max(1, Math.floor((width - left) / 52)));
  const stripTop = base + foot + 24;
  const roster = Math.max(1, ...months.map((each) => each.roster_count));
  const height = stripTop + strip + 4;
  return s("svg", { width, height, role: "group", "aria-label": "Exchanges by month" },
    s("text", { class: "axis-label", x: left, y: stripTop - 8 }, cut("Organizations that recorded one of them, of those on the roster", width - left, 12)),
    ...[0, roster].map((tick) => s("g", {},
      s("line", { class: tick ? "grid" : "axis", x1: left, x2: width, y1: stripTop + strip - (tick / roster) * strip, y2: stripTop + strip - (tick / roster) * strip }),
      s("text", { class: "bar-value", x: left - 8, y: stripTop + strip - (tick / roster) * strip + 4, "text-anchor": "end" }, formatCount(tick)))),
    ...ticks.map((tick) => s("g", {},
      s("line", { class: tick ? "grid" : "axis", x1: left, x2: width, y1: base - tick * scale, y2: base - tick * scale }),
      s("text", { class: "bar-value", x: left - 8, y: base - tick * scale + 4, "text-anchor": "end" }, formatCount(tick)))),
    ...months.map((each, index) => {
      const x = left + index * step;
      const column = each.exchange_count * scale;
      const recorded = (each.recorded_count / roster) * strip;
      const words = `${formatMonth(each.month)}: ${formatCount(each.exchange_count)} exchanges, recorded by ${each.recorded_count} of ${each.roster_count} organizations`;
      return s("g", {
        class: "column", role: "button", tabindex: 0, "aria-label": `${words}. Show this month`,
        "data-key": `column-${each.month}`, onclick: () => onselect(each.month),
        onkeydown: /** @type {EventListener} */ ((/** @type {KeyboardEvent} */ event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            onselect(each.month);
          }
        }),
      },
        s("title", {}, words),
        s("rect", { class: "hit", x, y: top, width: step, height: height - top }),
        s("rect", { class: "exchanges", x: x + step * 0.12, y: base - column, width: step * 0.76, height: column }),
        s("rect", { class: "recorded", x: x + step * 0.12, y: stripTop + strip - recorded, width: step * 0.76, height: recorded }),
        index % every === 0 ? s("text", { class: "tick", x: x + step / 2, y: base + 17, "text-anchor": "middle" }, each.month.slice(2)) : null);
    }));
}
