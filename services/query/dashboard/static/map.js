// @ts-check
/** The map: organizations where they always stand, and curves from giver to receiver. */

import { cut, measure } from "./text.js";
import { formatAmount } from "./format.js";
import { s } from "./dom.js";

/** @typedef {{id: string, label: string, x: number, y: number, given: number, received: number, exchange_count: number, group: number}} NetworkNode */
/** @typedef {[number, number, number, number]} Tie giver, receiver, weight, exchanges */
/** @typedef {{x: number, y: number, r: number, node: NetworkNode, index: number}} Spot */
/** @typedef {{scale: number, x: number, y: number}} Zoom how much larger, and which part, 0 to 1 */
/** @typedef {{organization?: string, giver?: string, receiver?: string}} Selection */

const COLORS = ["#23326C", "#C46536", "#2D9F7F", "#793858", "#6E849D", "#A3AEB9"];
const EDGE = 30;
const LINE = 22;
const LABEL = 12;
const CROWDED = 150;
const MANY = 300;
const MOST_TIES = 1_500;
const REACH = 8;
const BUSIEST = 16;

/**
 * @param {object} options
 * @param {any} options.data of the view "network"
 * @param {number} options.width
 * @param {boolean} options.isMinutes
 * @param {Selection} options.selection
 * @param {Zoom} options.zoom
 * @returns {{svg: SVGElement, spots: Spot[], tieAt: (x: number, y: number) => Tie | null, hiddenCount: number}}
 */
export function drawMap({ data, width, isMinutes, selection, zoom }) {
  const legend = drawLegend(data, width, selection);
  const top = legend.height;
  const plot = Math.round(Math.min(760, Math.max(340, width * 0.68)));
  const shelf = drawShelf(data.shelf, width, top + plot + 10);
  const spots = placeSpots(data, width, top, plot, zoom);
  const chosen = data.nodes.findIndex((/** @type {NetworkNode} */ node) => node.id === selection.organization);
  const isChosenTie = (/** @type {Tie} */ tie) => Boolean(selection.giver)
    && data.nodes[tie[0]].id === selection.giver && data.nodes[tie[1]].id === selection.receiver;
  const isMarked = (/** @type {Tie} */ tie) => tie[0] === chosen || tie[1] === chosen || isChosenTie(tie);
  const hasSelection = chosen >= 0 || Boolean(selection.giver);
  const isCrowded = data.nodes.length >= CROWDED || data.ties.length > MOST_TIES;
  const shown = data.nodes.length >= MANY || data.ties.length > 2 * MOST_TIES ? data.ties.slice(0, MOST_TIES) : data.ties;
  const marked = hasSelection ? data.ties.filter(isMarked) : [];
  const drawn = [...shown.filter((/** @type {Tie} */ tie) => !hasSelection || !isMarked(tie)), ...marked];
  const near = new Set(marked.flatMap((/** @type {Tie} */ tie) => [tie[0], tie[1]]));
  const thinness = data.nodes.length > 400 ? 0.3 : isCrowded ? 0.5 : 1;
  const widthOf = (/** @type {Tie} */ tie) => (0.6 + 4.4 * Math.sqrt(tie[2] / (data.largest_weight || 1)))
    * (hasSelection && isMarked(tie) ? Math.max(0.6, thinness) : thinness);
  const clip = `map-${width}`;
  const focus = Math.max(0, chosen);

  const svg = s("svg", { class: "map", width, height: top + plot + shelf.height + 12 },
    legend.element,
    s("clipPath", { id: clip }, s("rect", { x: 0, y: top, width, height: plot })),
    s("rect", { class: "map-ground", x: 0, y: top, width, height: plot }),
    s("g", { "clip-path": `url(#${clip})` },
      s("g", { class: `ties${hasSelection ? " faded" : ""}${isCrowded ? " crowded" : ""}`, "aria-hidden": "true" }, ...drawTies(
        drawn.filter((tie) => !marked.includes(tie)), spots, widthOf, "tie")),
      s("g", { class: "ties", "aria-hidden": "true" },
        ...drawTies(marked.filter((/** @type {Tie} */ tie) => tie[0] === chosen || isChosenTie(tie)), spots, widthOf, "tie out"),
        ...drawTies(marked.filter((/** @type {Tie} */ tie) => tie[1] === chosen && !isChosenTie(tie)), spots, widthOf, "tie in")),
      s("g", { role: "listbox", "aria-label": "Organizations on the map" }, ...spots.map((spot) => drawNode(
        spot, isMinutes, spot.index === chosen, hasSelection && !near.has(spot.index) && spot.index !== chosen, spot.index === focus))),
      s("g", { class: "labels", "aria-hidden": "true" }, ...placeLabels(
        spots.filter((spot) => !hasSelection || near.has(spot.index) || spot.index === chosen), spots, width, top, plot, chosen))),
    shelf.element);
  return { svg, spots, tieAt: (x, y) => findTie(drawn, spots, x, y), hiddenCount: data.ties.length - drawn.length };
}

/**
 * @param {any} data @param {number} width @param {number} top @param {number} plot @param {Zoom} zoom
 * @returns {Spot[]}
 */
function placeSpots(data, width, top, plot, zoom) {
  const count = data.nodes.length;
  const small = Math.min(1, Math.max(0.62, Math.sqrt(width / 800)));
  const [least, most] = (count > 400 ? [2, 6.5] : count > 100 ? [3, 9] : [5, 15]).map((size) => size * small);
  return data.nodes.map((/** @type {NetworkNode} */ node, /** @type {number} */ index) => ({
    node, index,
    x: EDGE + ((node.x - zoom.x) * zoom.scale) * (width - 2 * EDGE),
    y: top + EDGE + ((node.y - zoom.y) * zoom.scale) * (plot - 2 * EDGE),
    r: least + (most - least) * Math.sqrt((node.given + node.received) / (data.largest_total || 1)),
  }));
}

/**
 * Ties of about the same width are one path each, so that thousands stay fast.
 * @param {Tie[]} ties @param {Spot[]} spots @param {(tie: Tie) => number} widthOf @param {string} kind
 */
function drawTies(ties, spots, widthOf, kind) {
  /** @type {Map<number, string[]>} */
  const lines = new Map();
  /** @type {string[]} */
  const heads = [];
  for (const tie of ties) {
    const size = widthOf(tie);
    const key = Math.round(size * 2) / 2 || 0.5;
    const [a, c, b] = bend(spots[tie[0]], spots[tie[1]]);
    if (!lines.has(key)) lines.set(key, []);
    lines.get(key)?.push(`M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${c.x.toFixed(1)} ${c.y.toFixed(1)} ${b.x.toFixed(1)} ${b.y.toFixed(1)}`);
    const [x, y] = [(a.x + 2 * c.x + b.x) / 4, (a.y + 2 * c.y + b.y) / 4];
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const [dx, dy] = [(b.x - a.x) / length, (b.y - a.y) / length];
    const head = 1.8 + size * 1.1;
    heads.push(`M${(x + dx * head).toFixed(1)} ${(y + dy * head).toFixed(1)}L${(x - dx * head - dy * head * 0.75).toFixed(1)} ${(y - dy * head + dx * head * 0.75).toFixed(1)}L${(x - dx * head + dy * head * 0.75).toFixed(1)} ${(y - dy * head - dx * head * 0.75).toFixed(1)}Z`);
  }
  return [
    ...[...lines].map(([size, parts]) => s("path", { class: `${kind} line`, "stroke-width": size, d: parts.join("") })),
    heads.length ? s("path", { class: `${kind} head`, d: heads.join("") }) : null,
  ];
}

/**
 * The ends and the control point of a curve: to and fro bend to different sides.
 * @param {Spot} from @param {Spot} to
 */
function bend(from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return [from, { x: (from.x + to.x) / 2 - dy * 0.14, y: (from.y + to.y) / 2 + dx * 0.14 }, to];
}

/** @param {Tie[]} ties @param {Spot[]} spots @param {number} x @param {number} y */
function findTie(ties, spots, x, y) {
  let best = null;
  let least = REACH;
  for (const tie of ties) {
    const [a, c, b] = bend(spots[tie[0]], spots[tie[1]]);
    if (x < Math.min(a.x, b.x, c.x) - REACH || x > Math.max(a.x, b.x, c.x) + REACH) continue;
    if (y < Math.min(a.y, b.y, c.y) - REACH || y > Math.max(a.y, b.y, c.y) + REACH) continue;
    const steps = Math.max(8, Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / 8));
    for (let step = 1; step < steps; step += 1) {
      const t = step / steps;
      const u = 1 - t;
      const distance = Math.hypot(u * u * a.x + 2 * u * t * c.x + t * t * b.x - x, u * u * a.y + 2 * u * t * c.y + t * t * b.y - y);
      if (distance < least) [least, best] = [distance, tie];
    }
  }
  return best;
}

/**
 * @param {Spot} spot @param {boolean} isMinutes @param {boolean} isChosen @param {boolean} isFaded
 * @param {boolean} isFirst whether Tab comes to it
 */
function drawNode(spot, isMinutes, isChosen, isFaded, isFirst) {
  const { node } = spot;
  const words = node.exchange_count
    ? `${node.label}: gave ${formatAmount(node.given, isMinutes)}, received ${formatAmount(node.received, isMinutes)}`
    : `${node.label}: no exchange here`;
  const color = COLORS[Math.min(node.group, 5)];
  const isQuiet = !node.exchange_count;
  return s("g", {
    transform: `translate(${spot.x.toFixed(1)} ${spot.y.toFixed(1)})`,
    class: `node${isQuiet ? " quiet" : ""}${isFaded ? " faded" : ""}${isChosen ? " chosen" : ""}`,
    role: "option", "aria-selected": isChosen ? "true" : "false", "aria-label": words,
    tabindex: isFirst ? 0 : -1, "data-key": `node-${node.id}`, "data-index": spot.index,
  },
    s("title", {}, words),
    isChosen ? s("circle", { class: "ring", r: spot.r + 5 }) : null,
    s("path", {
      class: "shape", d: shapeOf(node.group, 0, 0, spot.r), fill: isQuiet ? "#FFFFFF" : color,
      stroke: isQuiet ? color : "#FFFFFF", "stroke-width": isQuiet ? 1.2 : 1,
    }));
}

/**
 * A category is never told by colour alone.
 * @param {number} group @param {number} x @param {number} y @param {number} r
 */
export function shapeOf(group, x, y, r) {
  const point = (/** @type {number} */ dx, /** @type {number} */ dy) => `${(x + dx * r).toFixed(2)} ${(y + dy * r).toFixed(2)}`;
  switch (Math.min(group, 5)) {
    case 0: return `M${point(-1, 0)}A${r} ${r} 0 1 0 ${point(1, 0)}A${r} ${r} 0 1 0 ${point(-1, 0)}Z`;
    case 1: return `M${point(0, -1.25)}L${point(1.25, 0)}L${point(0, 1.25)}L${point(-1.25, 0)}Z`;
    case 2: return `M${point(-0.55, -0.92)}L${point(0.55, -0.92)}Q${point(0.92, -0.92)} ${point(0.92, -0.55)}L${point(0.92, 0.55)}Q${point(0.92, 0.92)} ${point(0.55, 0.92)}L${point(-0.55, 0.92)}Q${point(-0.92, 0.92)} ${point(-0.92, 0.55)}L${point(-0.92, -0.55)}Q${point(-0.92, -0.92)} ${point(-0.55, -0.92)}Z`;
    case 3: return `M${point(0, -1.2)}L${point(1.15, 0.85)}L${point(-1.15, 0.85)}Z`;
    case 4: return `M${point(-0.85, -0.85)}L${point(0.85, -0.85)}L${point(0.85, 0.85)}L${point(-0.85, 0.85)}Z`;
    default: return `M${point(-0.5, -0.95)}L${point(0.5, -0.95)}L${point(1.05, 0)}L${point(0.5, 0.95)}L${point(-0.5, 0.95)}L${point(-1.05, 0)}Z`;
  }
}

/**
 * Busiest first, on one of eight sides, left out where they would meet something. The few busiest
 * may lie over shapes.
 * @param {Spot[]} wanted @param {Spot[]} spots @param {number} width @param {number} top @param {number} plot
 * @param {number} chosen
 */
function placeLabels(wanted, spots, width, top, plot, chosen) {
  /** @type {{x: number, y: number, w: number, h: number}[]} */
  const labelled = [];
  const taken = spots.map((spot) => ({ x: spot.x - spot.r, y: spot.y - spot.r, w: 2 * spot.r, h: 2 * spot.r }));
  const order = [...wanted].sort((a, b) => Number(b.index === chosen) - Number(a.index === chosen)
    || b.node.exchange_count - a.node.exchange_count || a.index - b.index);
  /** @type {SVGElement[]} */
  const labels = [];
  for (const [rank, { x, y, r: radius, node, index }] of order.entries()) {
    const avoided = rank < Math.min(BUSIEST, width / 70) || index === chosen ? labelled : taken;
    const r = index === chosen ? radius + 5 : radius;
    if (x < 0 || x > width || y < top || y > top + plot) continue;
    const text = cut(node.label, 180, LABEL);
    const size = measure(text, LABEL);
    const places = [[x + r + 4, y + 4], [x - r - 4 - size, y + 4], [x - size / 2, y - r - 5], [x - size / 2, y + r + 13],
      [x + r * 0.7 + 2, y - r - 1], [x + r * 0.7 + 2, y + r + 9], [x - r * 0.7 - 2 - size, y - r - 1], [x - r * 0.7 - 2 - size, y + r + 9]];
    const spot = places.find(([left, base]) => left >= 2 && left + size <= width - 2 && base - 10 >= top && base <= top + plot - 2
      && avoided.every((box) => left + size < box.x - 1 || left > box.x + box.w + 1 || base + 3 < box.y || base - 11 > box.y + box.h));
    if (!spot) continue;
    const box = { x: spot[0], y: spot[1] - 11, w: size, h: 14 };
    taken.push(box);
    labelled.push(box);
    labels.push(s("text", { class: index === chosen ? "chosen" : null, x: spot[0].toFixed(1), y: spot[1].toFixed(1) }, text));
  }
  return labels;
}

/** @param {any} data @param {number} width @param {Selection} selection */
function drawLegend(data, width, selection) {
  let [x, y] = [8, 12];
  const items = data.groups.map((/** @type {{label: string, count: number}} */ group, /** @type {number} */ index) => {
    const text = cut(`${group.label} (${group.count})`, width - 40);
    const size = measure(text, 13) + 40;
    if (x > 8 && x + size > width) [x, y] = [8, y + LINE];
    const item = s("g", {},
      s("path", { d: shapeOf(index, x, y, 5.5), fill: COLORS[Math.min(index, 5)] }),
      s("text", { class: "bar-label", x: x + 13, y: y + 4.5 }, text));
    x += size;
    return item;
  });
  for (const [kind, text] of selection.organization ? [["out", "It gave"], ["in", "It received"]] : []) {
    const size = measure(text, 13) + 52;
    if (x > 8 && x + size > width) [x, y] = [8, y + LINE];
    items.push(s("g", {},
      s("line", { class: `tie ${kind} line`, "stroke-width": 2.5, x1: x - 6, x2: x + 14, y1: y, y2: y }),
      s("text", { class: "bar-label", x: x + 20, y: y + 4.5 }, text)));
    x += size;
  }
  return { element: s("g", {}, ...items), height: items.length ? y + 20 : 4 };
}

/** @param {{label: string}[]} parties @param {number} width @param {number} top */
function drawShelf(parties, width, top) {
  if (!parties.length) return { element: null, height: 0 };
  let [x, y] = [8, top + 42];
  const items = parties.map((party) => {
    const text = cut(party.label, Math.min(260, width - 30), LABEL);
    const size = measure(text, LABEL) + 38;
    if (x > 8 && x + size > width) [x, y] = [8, y + LINE];
    const item = s("g", {}, s("circle", { class: "isolate", cx: x, cy: y, r: 4.5 }), s("text", { x: x + 11, y: y + 4 }, text));
    x += size;
    return item;
  });
  const element = s("g", { class: "shelf" },
    s("line", { class: "grid", x1: 0, x2: width, y1: top, y2: top }),
    s("text", { class: "axis-label", x: 2, y: top + 20 }, "No tie recorded yet"), ...items);
  return { element, height: y - top + 22 };
}

/**
 * The nearest organization in the direction of an arrow key.
 * @param {Spot[]} spots @param {Spot} from @param {string} key
 */
export function findNext(spots, from, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
  let best = null;
  let least = Infinity;
  for (const spot of spots) {
    const along = (spot.x - from.x) * dx + (spot.y - from.y) * dy;
    const across = Math.abs((spot.x - from.x) * dy) + Math.abs((spot.y - from.y) * dx);
    if (along <= 0.5 || across > 3 * along) continue;
    if (along + 2 * across < least) [least, best] = [along + 2 * across, spot];
  }
  return best;
}
