// @ts-check
/** Who gives to whom, on a map that stays as it is, with the exchanges behind it. */

import { addressOf, nextMonth } from "../state.js";
import { card } from "../card.js";
import { EXCHANGE_COLUMNS, drawExchange, toExchangeCells } from "../exchanges.js";
import { drawMap, findNext } from "../map.js";
import { formatAmount, formatCount, formatShortMonth } from "../format.js";
import { h, name, onWidth, replace } from "../dom.js";

export const parts = ["evidence"];
const STEP_MILLISECONDS = 1_200;
const WHOLE = { scale: 1, x: 0, y: 0 };

/**
 * @param {Element} host
 * @param {import("../app.js").Page} page
 */
export function mount(host, page) {
  /** @type {import("../app.js").Answers} */
  let answers = {};
  let zoom = WHOLE;
  let playing = 0;
  /** @type {ReturnType<typeof drawMap> | null} */
  let drawing = null;
  let width = 0;
  const plot = h("div", {
    class: "plot map-plot", onclick: /** @type {EventListener} */ ((/** @type {MouseEvent} */ event) => click(event)),
    onkeydown: /** @type {EventListener} */ ((/** @type {KeyboardEvent} */ event) => press(event)),
    onpointermove: /** @type {EventListener} */ ((/** @type {PointerEvent} */ event) => hover(event)),
  });
  const said = h("p", { class: "map-said", role: "status" });
  const left = h("p", { class: "note" });
  onWidth(plot, (now) => {
    width = now;
    draw();
  });

  /** @param {import("../app.js").Answers} latest */
  function update(latest) {
    answers = latest;
    const { network, evidence } = answers;
    const { data } = network;
    const isEmpty = !data.nodes.length && !data.shelf.length;
    replace(host, h("div", { class: "grid network" },
      card({
        key: "network", title: "Who shares with whom", answer: network,
        note: "Curves bend from giver to receiver, and thicker ones mean more. A hollow shape has no exchange in these months. Choose a shape or a curve to see what is behind it.",
        empty: isEmpty ? "Nothing has been recorded yet." : "",
        body: [drawTools(data), plot, left, said],
        picture: (size) => drawMap({ data, width: size, isMinutes: page.isMinutes, selection: selection(), zoom: WHOLE }).svg,
        table: () => ({
          columns: ["giver_id", "giver", "receiver_id", "receiver", "weight", "exchange_count"],
          rows: data.ties.map((/** @type {any[]} */ tie) => [
            data.nodes[tie[0]].id, data.nodes[tie[0]].label, data.nodes[tie[1]].id, data.nodes[tie[1]].label, tie[2], tie[3]]),
        }),
      }),
      evidence ? drawEvidence(evidence) : null));
    draw();
  }

  function selection() {
    const { organization, giver, receiver } = page.state.values;
    return { organization: organization?.[0], giver: giver?.[0], receiver: receiver?.[0] };
  }

  function draw() {
    if (!answers.network || !width) return;
    drawing = drawMap({ data: answers.network.data, width, isMinutes: page.isMinutes, selection: selection(), zoom });
    replace(plot, drawing.svg);
    const { length } = answers.network.data.ties;
    left.textContent = drawing.hiddenCount ? `The ${formatCount(length - drawing.hiddenCount)} strongest of ${formatCount(length)} ties are drawn. Choose an organization to see all of its ties.` : "";
  }

  /** @param {any} data */
  function drawTools(data) {
    const months = answers.programme?.data.months ?? [];
    return h("div", { class: "tools" },
      h("label", {}, "Colour and shape by ", h("select", {
        "data-key": "color",
        onchange: (event) => page.go({ color: /** @type {HTMLSelectElement} */ (event.target).value }),
      }, ...data.attributes.map((/** @type {{word: string, label: string}} */ each) => h("option",
        { value: each.word, selected: each.word === data.attribute }, each.label)))),
      months.length > 1 ? h("button", { type: "button", class: "quiet", "data-key": "play", onclick: () => play(months) },
        playing ? "Stop" : "Play the months") : null,
      h("span", { class: "zoom", role: "group", "aria-label": "Zoom" },
        tool("Closer", "+", () => zoomTo(zoom.scale * 1.5)),
        tool("Farther", "−", () => zoomTo(zoom.scale / 1.5)),
        tool("Whole map", "Whole map", () => zoomTo(1))));
  }

  /** @param {string} label @param {string} text @param {() => void} act */
  function tool(label, text, act) {
    return h("button", { type: "button", class: "quiet", "aria-label": label, "data-key": `zoom-${label}`, onclick: act }, text);
  }

  /** @param {number} scale keeps the middle, or what is selected, in the middle */
  function zoomTo(scale) {
    const next = Math.min(8, Math.max(1, scale));
    const chosen = answers.network.data.nodes.find((/** @type {{id: string}} */ node) => node.id === selection().organization);
    const middle = chosen ?? { x: zoom.x + 0.5 / zoom.scale, y: zoom.y + 0.5 / zoom.scale };
    const within = (/** @type {number} */ at) => Math.min(1 - 1 / next, Math.max(0, at - 0.5 / next));
    zoom = { scale: next, x: within(middle.x), y: within(middle.y) };
    draw();
  }

  /** Shows one month after the other. @param {{month: string}[]} months */
  function play(months) {
    if (playing) {
      clearTimeout(playing);
      playing = 0;
      update(answers);
      return;
    }
    const from = page.state.values.from?.[0]?.slice(0, 7);
    let at = Math.max(0, months.findIndex(({ month }) => month === from));
    if (at === months.length - 1) at = 0;
    const step = () => {
      if (!host.isConnected || page.state.view !== "network") return;
      const { month } = months[at];
      playing = at + 1 < months.length ? window.setTimeout(step, STEP_MILLISECONDS) : 0;
      said.textContent = formatShortMonth(month);
      at += 1;
      page.go({ from: `${month}-01`, to: `${nextMonth(month)}-01` });
    };
    step();
  }

  /** @param {MouseEvent} event */
  function click(event) {
    const node = /** @type {Element} */ (event.target).closest("[data-index]");
    if (node) choose(Number(node.getAttribute("data-index")));
    else {
      const tie = tieUnder(event);
      const { nodes } = answers.network.data;
      if (tie) page.go({ organization: null, giver: nodes[tie[0]].id, receiver: nodes[tie[1]].id });
      else if (Object.values(selection()).some(Boolean)) page.go({ organization: null, giver: null, receiver: null });
    }
  }

  /** @param {number} index */
  function choose(index) {
    const { id } = answers.network.data.nodes[index];
    page.go({ organization: id === selection().organization ? null : id, giver: null, receiver: null });
  }

  /** @param {MouseEvent} event */
  function tieUnder(event) {
    const box = plot.firstElementChild?.getBoundingClientRect();
    return box && drawing ? drawing.tieAt(event.clientX - box.left, event.clientY - box.top) : null;
  }

  /** @param {PointerEvent} event */
  function hover(event) {
    const isNode = Boolean(/** @type {Element} */ (event.target).closest("[data-index]"));
    const tie = isNode ? null : tieUnder(event);
    plot.classList.toggle("on-tie", Boolean(tie));
    if (tie) {
      const { nodes } = answers.network.data;
      replace(said, name(nodes[tie[0]].label), " gave ", name(nodes[tie[1]].label), ` ${describe(tie)}`);
    } else if (!playing) said.textContent = "";
  }

  /** @param {import("../map.js").Tie} tie */
  function describe(tie) {
    const count = `${formatCount(tie[3])} exchange${tie[3] === 1 ? "" : "s"}`;
    return page.isMinutes ? `${formatAmount(tie[2], true)} in ${count}` : count;
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    const node = /** @type {Element} */ (event.target).closest("[data-index]");
    if (!node || !drawing) return;
    const from = drawing.spots[Number(node.getAttribute("data-index"))];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(from.index);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = findNext(drawing.spots, from, event.key);
      const element = next && plot.querySelector(`[data-index="${next.index}"]`);
      if (!(element instanceof SVGElement)) return;
      node.setAttribute("tabindex", "-1");
      element.setAttribute("tabindex", "0");
      element.focus();
    }
  }

  /** @param {import("../answers.js").Answer} evidence */
  function drawEvidence(evidence) {
    const { exchanges, pairs, title, has_more: hasMore } = evidence.data;
    const isPairs = !Object.values(selection()).some(Boolean);
    return card({
      key: "evidence", title, answer: evidence,
      note: isPairs ? "What the first gave the second, and what came back. Neither side is better." : "The latest first.",
      empty: (isPairs ? pairs : exchanges).length ? "" : "Nothing in these months.",
      body: [
        isPairs ? h("ul", { class: "names pairs", tabindex: 0, "aria-label": title }, ...pairs.map(drawPair)) : h("ul", { class: "names exchanges-list", tabindex: 0, "aria-label": title }, ...exchanges.map(drawExchange)),
        hasMore ? h("p", { class: "note" }, "There are more. Choose fewer months to see the others.") : null,
        isPairs ? null : h("p", {}, h("a", { href: page.address({ organization: null, giver: null, receiver: null }) }, "Back to one-sided pairs")),
      ],
      table: () => (isPairs ? {
        columns: ["giver_id", "giver", "receiver_id", "receiver", "given", "received"],
        rows: pairs.map((/** @type {any} */ each) => [each.giver_id, each.giver, each.receiver_id, each.receiver, each.given, each.received]),
      } : {
        columns: EXCHANGE_COLUMNS, rows: exchanges.map(toExchangeCells),
      }),
    });
  }

  /** @param {any} pair */
  function drawPair(pair) {
    return h("li", {},
      h("a", { href: addressOf(page.state, { giver: pair.giver_id, receiver: pair.receiver_id }) }, name(pair.giver), " to ", name(pair.receiver)),
      h("span", { class: "amounts" }, `${formatAmount(pair.given, page.isMinutes)} : ${formatAmount(pair.received, page.isMinutes)}`));
  }

  return { update };
}
