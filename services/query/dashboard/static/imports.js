// @ts-check
/** Sends files to the server, which previews, records and undoes imports. Nothing is read here. */

import { AnswerError, readProblem } from "./answers.js";

/**
 * @typedef {object} ImportRules what the server takes
 * @property {number} max_file_bytes
 * @property {string[]} suffixes
 * @property {{name: string, is_required: boolean}[]} fields
 * @property {string} refusal why it imports nothing, "" if it does
 */

/** @typedef {{checked_count?: number, recorded_count?: number, total_count?: number}} Progress */

/** @returns {Promise<ImportRules>} */
export async function fetchRules() {
  const response = await fetch("imports");
  if (!response.ok) throw await readProblem(response);
  return response.json();
}

/**
 * Sends the whole file with its options; the answer is the last line. Raises AnswerError.
 * @param {"preview" | "bad-rows" | "record"} action
 * @param {File} file
 * @param {string} programme
 * @param {Record<string, any>} options
 * @param {(progress: Progress) => void} onprogress
 * @param {AbortSignal} [signal]
 */
export function sendFile(action, file, programme, options, onprogress, signal) {
  const type = "application/octet-stream";
  const body = new Blob([JSON.stringify({ file: file.name, programme, options }), "\n", file], { type });
  return post(action, body, type, onprogress, signal);
}

/**
 * Retracts what a batch recorded. Raises AnswerError.
 * @param {{batch: string, recorded_by?: string}} batch
 * @param {string} programme
 * @param {(progress: Progress) => void} onprogress
 */
export function undoImport({ batch, recorded_by = "" }, programme, onprogress) {
  return post("undo", JSON.stringify({ batch, recorded_by, programme }), "application/json", onprogress);
}

/**
 * @param {string} action @param {BodyInit} body @param {string} type
 * @param {(progress: Progress) => void} onprogress @param {AbortSignal} [signal]
 */
async function post(action, body, type, onprogress, signal) {
  try {
    const response = await fetch(`imports/${action}`, { method: "POST", headers: { "Content-Type": type }, body, signal });
    if (!response.ok || !response.body) throw await readProblem(response);
    for await (const line of readLines(response.body)) {
      if (line.problem) throw new AnswerError(line.problem.detail, line.problem.remedy ?? "", line.problem.status >= 500);
      if (line.done) return line.done;
      onprogress(line);
    }
  } catch (error) {
    if (error instanceof AnswerError || signal?.aborted) throw error;
  }
  throw new AnswerError(
    "The server did not answer to the end, or the file cannot be read.",
    "Choose the file again: what was recorded already counts once.", true);
}

/** @param {ReadableStream<Uint8Array>} body */
async function* readLines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}
