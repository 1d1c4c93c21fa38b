// @ts-check
/** Exchanges as items of a list. */

import { formatMinutes } from "./format.js";
import { h, name } from "./dom.js";

/** @param {any} exchange */
export function drawExchange(exchange) {
  const facts = [exchange.kind, ...exchange.topics];
  return h("li", {},
    h("div", { class: "exchange" },
      h("strong", {}, exchange.day), exchange.minutes === null ? null : h("span", { class: "amounts" }, formatMinutes(exchange.minutes))),
    h("div", {}, name(exchange.givers), exchange.receivers ? h("span", {}, " to ", name(exchange.receivers)) : " together"),
    h("div", { class: "aside" }, name(facts.join(", "))),
    exchange.note ? h("div", { class: "aside" }, name(exchange.note)) : null);
}

/** Columns of exchanges in files. */
export const EXCHANGE_COLUMNS = ["exchange_id", "day", "givers", "receivers", "kind", "topics", "giver_minutes", "note"];

/**
 * @param {any} exchange
 * @returns {(string | number | null)[]}
 */
export function toExchangeCells(exchange) {
  return [exchange.id, exchange.day, exchange.givers, exchange.receivers, exchange.kind, exchange.topics.join("; "), exchange.minutes, exchange.note];
}
