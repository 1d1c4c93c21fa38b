// @ts-check
/** Numbers, amounts and months as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September",
  "October", "November", "December"];

/** @param {number} value */
export function formatCount(value) {
  return Number.isInteger(value) ? whole.format(value) : one.format(value);
}

/**
 * Such as "1 exchange" or "1,240 exchanges".
 * @param {number} count
 * @param {string} noun
 */
export function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Minutes as hours from one hour on: "45 min", "7.5 h", "1,240 h".
 * @param {number} minutes
 */
export function formatMinutes(minutes) {
  if (minutes === 0) return "0";
  if (minutes < 59.5) return `${short.format(minutes)} min`;
  const hours = minutes / 60;
  return `${hours < 9.95 ? one.format(hours) : whole.format(hours)} h`;
}

/**
 * An amount, or a dash where it is undefined.
 * @param {number | null | undefined} value
 * @param {boolean} isMinutes
 */
export function formatAmount(value, isMinutes) {
  if (value === null || value === undefined) return "–";
  return isMinutes ? formatMinutes(value) : formatCount(value);
}

/** @param {number} share 0 to 1 */
export function formatShare(share) {
  return `${whole.format(share * 100)}%`;
}

/** @param {string} month such as 2019-07 */
export function formatMonth(month) {
  const [year, number] = month.split("-").map(Number);
  return `${MONTHS[number - 1]} ${year}`;
}

/** @param {string} month such as 2019-07 */
export function formatShortMonth(month) {
  const [name, year] = formatMonth(month).split(" ");
  return `${name.slice(0, 3)} ${year}`;
}

/**
 * A round number at or above the largest value, and its steps, for an axis.
 * @param {number} largest
 * @param {number} count most steps
 * @param {boolean} [isMinutes] whether steps are whole hours from one hour on
 * @returns {number[]}
 */
export function makeTicks(largest, count, isMinutes = false) {
  if (!(largest > 0)) return [0, 1];
  if (isMinutes && largest > 60) return makeTicks(largest / 60, count).map((tick) => tick * 60);
  const rough = largest / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, index) => index * step);
}

/**
 * Such as "0.032", "<0.001", or a dash where it is undefined.
 * @param {number | null} value 0 to 1
 */
export function formatProbability(value) {
  if (value === null) return "–";
  return value < 0.001 ? "<0.001" : value.toFixed(value < 0.0995 ? 3 : 2);
}
