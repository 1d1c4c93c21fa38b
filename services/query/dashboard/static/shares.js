// @ts-check
/** The four parts of the flow, and the part that is returned next to chance and to the ceiling. */

import { formatShare } from "./format.js";
import { s } from "./dom.js";

/**
 * @param {any} data of the part "mutual"
 * @param {number} width
 */
export function drawShares(data, width) {
  const bar = 36;
  let x = 0;
  const parts = data.shares.map((/** @type {{name: string, label: string, share: number}} */ part) => {
    const at = x;
    const size = part.share * width;
    x += size;
    return s("g", {},
      s("rect", { class: `share ${part.name}`, x: at + (at ? 1 : 0), y: 0, width: Math.max(0, size - (at ? 1 : 0)), height: bar }),
      size > 34 ? s("text", { class: `share-value ${part.name}`, x: at + 8, y: 23 }, formatShare(part.share)) : null);
  });
  return s("svg", { width, height: bar, role: "img", "aria-label": describe(data) }, ...parts);
}

/** @param {any} data */
function describe(data) {
  return data.shares.map((/** @type {any} */ part) => `${part.label} ${formatShare(part.share)}`).join(", ");
}

/**
 * @param {any} data of the part "mutual"
 * @param {number} width
 */
export function drawYardsticks(data, width) {
  const [left, right, row] = [width < 460 ? 4 : 168, 16, 30];
  const isNarrow = width < 460;
  const scale = (width - left - right);
  const step = isNarrow ? 42 : row;
  const rows = [
    ...(data.returned === null ? [] : [{ label: "Returned", at: data.returned, kind: "returned" }]),
    ...data.bands.map((/** @type {any} */ band) => ({ ...band, at: band.expected, kind: "band" })),
    ...(data.ceiling === null ? [] : [{ label: "Most that was possible", at: data.ceiling, kind: "ceiling" }]),
  ];
  const height = rows.length * step + 22;
  const returned = left + data.returned * scale;
  return s("svg", { width, height, role: "img", "aria-label": rows.map((each) => `${each.label} ${formatShare(each.at)}`).join(", ") },
    ...[0, 0.25, 0.5, 0.75, 1].map((tick) => s("g", {},
      s("line", { class: "grid", x1: left + tick * scale, x2: left + tick * scale, y1: 2, y2: height - 20 }),
      s("text", { class: "tick", x: left + tick * scale, y: height - 5, "text-anchor": tick === 0 && isNarrow ? "start" : tick === 1 ? "end" : "middle" }, formatShare(tick)))),
    s("line", { class: "returned-line", x1: returned, x2: returned, y1: 6, y2: height - 20 }),
    ...rows.map((each, index) => {
      const y = index * step + (isNarrow ? 30 : 16);
      const x = left + each.at * scale;
      const after = each.kind === "band" ? left + each.high * scale : x;
      const isLate = after > width - 64;
      return s("g", {},
        isNarrow
          ? s("text", { class: "bar-label", x: left, y: y - 14 }, each.label)
          : s("text", { class: "bar-label", x: left - 12, y: y + 4, "text-anchor": "end" }, each.label),
        each.kind === "band" ? s("rect", { class: "band", x: left + each.low * scale, y: y - 6, width: Math.max(2, (each.high - each.low) * scale), height: 12, rx: 2 }) : null,
        each.kind === "returned" ? s("circle", { class: "returned", cx: x, cy: y, r: 6 }) : null,
        each.kind === "band" ? s("line", { class: "expected", x1: x, x2: x, y1: y - 8, y2: y + 8 }) : null,
        each.kind === "ceiling" ? s("path", { class: "ceiling", d: `M${x} ${y - 8}V${y + 8}M${x - 5} ${y - 8}H${x + 5}` }) : null,
        s("text", { class: "bar-value clear", x: isLate ? x - 12 : after + 12, y: y + 4, "text-anchor": isLate ? "end" : "start" },
          each.kind === "band" ? `${formatShare(each.low)} to ${formatShare(each.high)}` : formatShare(each.at)));
    }));
}

/**
 * Both charts in one, with the names of the parts, to take along.
 * @param {any} data of the part "mutual"
 * @param {number} width
 */
export function drawMutualPicture(data, width) {
  const parts = drawShares(data, width);
  const line = 18;
  const names = data.shares.map((/** @type {any} */ part, /** @type {number} */ index) => s("g", {},
    s("rect", { class: `share ${part.name}`, x: 0, y: 50 + index * line - 10, width: 10, height: 10 }),
    s("text", { x: 18, y: 50 + index * line }, `${part.label} ${formatShare(part.share)} ${part.meaning}`)));
  const top = 62 + data.shares.length * line;
  const yardsticks = drawYardsticks(data, width);
  yardsticks.setAttribute("y", String(top));
  const height = top + Number(yardsticks.getAttribute("height"));
  return s("svg", { width, height }, parts, ...names, data.bands.length ? yardsticks : null);
}
