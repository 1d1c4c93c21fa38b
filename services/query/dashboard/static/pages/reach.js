// @ts-check
/** Whom the exchange reaches: who has not received yet, who is new, who stopped, what goes outside. */

import { card } from "../card.js";
import { drawBars } from "../bars.js";
import { drawChoice, moreButton } from "../controls.js";
import { drawTopicReach } from "../topic_reach.js";
import { drawTotals } from "../totals.js";
import { formatCount } from "../format.js";
import { h, name, onWidth, replace } from "../dom.js";

const FEW = 10;
const ORDERS = [["name", "by name"], ["fewest", "fewest have received first"]];

/** @typedef {import("../answers.js").Answer} Answer */
/** @typedef {{id: string, label: string, note: string}} NotedParty */

/** @param {Element} host @param {import("../app.js").Page} page */
export function mount(host, page) {
  /** @type {Set<string>} lists that are shown whole */
  const whole = new Set();
  /** @type {import("../app.js").Answers} */
  let last = {};
  let shownTopic = "";

  /** @param {import("../app.js").Answers} answers */
  function update(answers) {
    last = answers;
    const { reach } = answers;
    const { newcomers, stopped, movement } = reach.data;
    replace(host,
      drawTotals(reach.data.totals),
      h("div", { class: "stack" },
        h("div", { class: "grid reach" }, drawTopics(reach), drawSelected(reach), drawOutside(reach)),
        h("div", { class: "grid pair" },
          drawParties(reach, "newcomers", "Newcomers", newcomers, `First exchange ${movement}.`),
          drawParties(reach, "stopped", "Stopped", stopped, `Exchanged earlier, and nothing ${movement}.`))));
    const { topic } = reach.data.selected;
    if (topic && topic !== shownTopic && !matchMedia("(min-width: 1101px)").matches) host.querySelector("#card-missing")?.scrollIntoView();
    shownTopic = topic;
  }

  /** @param {string} key of a list */
  function showAll(key) {
    whole.add(key);
    update(last);
  }

  /** @param {Answer} reach */
  function drawTopics(reach) {
    const { topics, parties, member_count: members, omitted_count: omitted, order, selected } = reach.data;
    /** @param {number[]} places */
    const list = (places) => places.map((place) => parties[place].label).join("; ");
    /** @param {number} width */
    const draw = (width) => drawTopicReach({
      rows: topics, whole: members, width, selected: selected.topic, label: "Topics, by how many have received",
      onselect: (topic) => page.go({ about: topic || null }),
    });
    const plot = h("div", { class: "plot" });
    onWidth(plot, (width) => replace(plot, draw(width)));
    return card({
      key: "topics", title: "Received, topic by topic", answer: reach,
      note: "Choose a topic to see who has not received on it yet, and whom they could ask.",
      empty: members ? "" : "Nothing has been recorded yet, and no organization is registered.",
      body: [
        topics.length > 2 ? h("div", { class: "tools" }, drawChoice(page, "Order", "order", ORDERS, order)) : null,
        plot],
      picture: draw,
      below: [
        topics.length === 1 ? h("p", { class: "note" }, "No exchange has a topic.") : null,
        omitted ? h("p", { class: "note" }, `${formatCount(omitted)} more topics have fewer exchanges. Choose them in the filters.`) : null],
      table: () => ({
        columns: ["topic", "label", "receiver_count", "organization_count", "not_received", "giver_count", "givers"],
        rows: topics.map((/** @type {any} */ row) => [row.topic, row.label, row.receiver_count, members, list(row.missing), row.givers.length, list(row.givers)]),
      }),
    });
  }

  /** @param {Answer} reach */
  function drawSelected(reach) {
    const { selected, member_count: members } = reach.data;
    const { topic, label, missing, givers } = selected;
    const rows = [
      ...missing.map((/** @type {NotedParty} */ each) => ["not received", each.id, each.label, each.note]),
      ...givers.map((/** @type {NotedParty} */ each) => ["gives", each.id, each.label, each.note])];
    return card({
      key: "missing", title: topic ? label : "Have not received yet", answer: reach,
      empty: members ? "" : "Nobody is registered.",
      body: [
        topic ? h("p", {}, h("a", { href: page.address({ about: null }), "data-key": "any-topic" }, "Any topic")) : null,
        drawSection("missing", topic ? "Have not received on it yet" : "", missing, "All have received.", (id) => ({ log_receiver: id, log_topic: topic })),
        topic ? drawSection("givers", "Whom to ask", givers, "Nobody has given on it yet.", (id) => ({ log_giver: id, log_topic: topic })) : null],
      table: () => ({ columns: ["list", "organization_id", "organization", "note"], rows }),
    });
  }

  /**
   * @param {string} key @param {string} title none for the only list of a card
   * @param {NotedParty[]} parties @param {string} empty
   * @param {(id: string) => Record<string, string>} fill what the form to log begins with
   */
  function drawSection(key, title, parties, empty, fill) {
    return h("section", { class: "direction" },
      title ? h("h3", {}, title, " ", h("span", { class: "count" }, formatCount(parties.length))) : null,
      parties.length ? drawNames(key, parties, fill) : h("p", { class: "empty" }, empty));
  }

  /**
   * @param {string} key @param {NotedParty[]} parties
   * @param {(id: string) => Record<string, string>} [fill]
   */
  function drawNames(key, parties, fill) {
    const shown = whole.has(key) ? parties.length : FEW;
    return h("div", {}, h("ul", { class: "names noted" }, ...parties.map((each, index) => h("li", { class: index < shown ? null : "on-paper" },
      h("a", { href: page.address({ view: "organization", organization: each.id }), "data-key": `${key}-${each.id}` }, name(each.label)),
      h("span", { class: "aside" }, name(each.note)),
      fill ? h("a", {
        class: "act", href: page.address({ view: "recording", ...fill(each.id) }), "aria-label": `Log an exchange with ${each.label}`,
      }, "Log") : null))),
    shown < parties.length ? moreButton(parties.length - shown, `more-${key}`, () => showAll(key)) : null);
  }

  /** @param {Answer} reach @param {string} key @param {string} title @param {NotedParty[]} parties @param {string} note */
  function drawParties(reach, key, title, parties, note) {
    return card({
      key, title, note, answer: reach, empty: parties.length ? "" : "None.", body: [drawNames(key, parties)],
      table: () => ({ columns: ["organization_id", "organization", "note"], rows: parties.map((each) => [each.id, each.label, each.note]) }),
    });
  }

  /** @param {Answer} reach */
  function drawOutside(reach) {
    const rows = reach.data.outside;
    const shown = whole.has("outside") ? rows : rows.slice(0, FEW);
    return card({
      key: "outside", title: "Exchange with outside", answer: reach,
      note: "What organizations that are not in the programme gave to those in it, and received from them.",
      empty: rows.length ? "" : "Nothing was given to an organization outside the programme, or received from one.",
      chart: (width) => drawBars({
        rows: shown, width, isMinutes: page.isMinutes, selected: undefined, label: "Organizations outside, by name",
        onselect: (id) => page.go({ view: "organization", organization: id }),
      }),
      below: [
        shown.length < rows.length ? h("p", {}, moreButton(rows.length - shown.length, "more-outside", () => showAll("outside"))) : null,
        rows.some((/** @type {any} */ row) => row.unknown_count) ? h("p", { class: "note" }, "* Some of its exchanges have no minutes, so its bars may be short.") : null],
      table: () => ({
        columns: ["organization_id", "organization", "why", "given", "received", "unknown_count"],
        rows: rows.map((/** @type {any} */ row) => [row.id, row.label, row.why, row.given, row.received, row.unknown_count]),
      }),
    });
  }

  return { update };
}
