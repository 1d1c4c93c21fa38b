// @ts-check
/** What somebody chose for kinds and names of earlier files, so that the same file reads the same. */

const KEY = "mutua-import-answers";
const MAX_ANSWERS = 2_000;

/** @typedef {{kind_map: Record<string, string>, name_map: Record<string, string>}} ImportAnswers */

/**
 * The answers of a programme, in this browser.
 * @param {string} programme
 * @returns {ImportAnswers}
 */
export function recallAnswers(programme) {
  const answers = read()[programme] ?? {};
  return { kind_map: { ...answers.kind_map }, name_map: { ...answers.name_map } };
}

/**
 * @param {string} programme
 * @param {ImportAnswers} answers
 */
export function rememberAnswers(programme, { kind_map, name_map }) {
  const all = read();
  all[programme] = { kind_map: shorten(kind_map), name_map: shorten(name_map) };
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // A full or forbidden storage: the next file asks again.
  }
}

/** @param {Record<string, string>} answers */
function shorten(answers) {
  return Object.fromEntries(Object.entries(answers).slice(-MAX_ANSWERS));
}

/** @returns {Record<string, any>} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
