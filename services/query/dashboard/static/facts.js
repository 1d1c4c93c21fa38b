// @ts-check
/** Records facts. A fact that is sent again has the same id, so it counts once. */

import { AnswerError } from "./answers.js";

/**
 * @param {object} fact an event without id and programme
 * @param {string} programme
 */
export function makeEvent(fact, programme) {
  return {
    event_id: makeId(), programme_id: programme || "default", source: { client: "mutua-dashboard" }, ...fact,
  };
}

/**
 * Returns once the event is on the log. Raises AnswerError.
 * @param {object} event
 */
export async function record(event) {
  let response;
  try {
    response = await fetch("api/v1/events", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ events: [event] }),
    });
  } catch {
    throw new AnswerError("The server does not answer.", "Press the button again: what was recorded already counts once.", true);
  }
  if (response.ok) return;
  const problem = await response.json().catch(() => ({}));
  throw new AnswerError(problem.detail ?? `The server answered ${response.status}.`, problem.remedy ?? "", response.status >= 500);
}

/** A UUID of version 7: it begins with the time. */
function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let index = 0; index < 6; index += 1) bytes[index] = Math.floor(now / 256 ** (5 - index)) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
}
