// @ts-check
/** Tables as CSV files. */

/**
 * @typedef {object} Table
 * @property {string[]} columns
 * @property {(string | number | null)[][]} rows
 */

/** @param {Table} table */
export function toCsv(table) {
  const lines = [table.columns, ...table.rows].map((row) => row.map(toCell).join(","));
  return `\ufeff${lines.join("\r\n")}\r\n`;
}

/** @param {string | number | null} value */
function toCell(value) {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  // A spreadsheet would take such text for a formula and compute it.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Hands a file to the person.
 * @param {string} fileName
 * @param {Blob} content
 */
export function save(fileName, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
