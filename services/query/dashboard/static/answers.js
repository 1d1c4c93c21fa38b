// @ts-check
/** Fetches views, and asks again only for what changed. */

/**
 * @typedef {object} Answer
 * @property {string} view
 * @property {string} question
 * @property {string} coverage
 * @property {string[]} notes what else to know of what it rests on
 * @property {string[]} warnings
 * @property {string} position
 * @property {string} as_of_date
 * @property {any} data
 */

/** A refusal, or a server that does not answer. */
export class AnswerError extends Error {
  /**
   * @param {string} message
   * @param {string} remedy
   * @param {boolean} isTemporary whether asking again may help
   */
  constructor(message, remedy, isTemporary) {
    super(message);
    this.remedy = remedy;
    this.isTemporary = isTemporary;
  }
}

/** @type {Map<string, {tag: string, answer: Answer}>} */
const held = new Map();
const MAX_HELD = 30;
const PATIENCE_MILLISECONDS = 60_000;

/**
 * The answer at an address. Raises AnswerError.
 * @param {string} address
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>} the same object as before if nothing changed
 */
export async function fetchAnswer(address, signal) {
  const before = held.get(address);
  const headers = before ? { "If-None-Match": before.tag } : undefined;
  const patience = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  let response;
  let answer;
  try {
    response = await fetch(address, { headers, signal: AbortSignal.any([signal, patience]), cache: "no-store" });
    answer = response.ok ? await response.json() : before?.answer;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AnswerError("The server does not answer.", "This page tries again by itself.", true);
  }
  if (response.status === 304 && answer) return answer;
  if (!response.ok) throw await readProblem(response);
  held.delete(address);
  held.set(address, { tag: response.headers.get("ETag") ?? "", answer });
  for (const oldest of [...held.keys()].slice(0, Math.max(0, held.size - MAX_HELD))) held.delete(oldest);
  return answer;
}

/** @param {Response} response */
export async function readProblem(response) {
  /** @type {{detail?: string, remedy?: string}} */
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `The server answered ${response.status}.`;
  return new AnswerError(detail, problem.remedy ?? "", response.status >= 500 || response.status === 429);
}
