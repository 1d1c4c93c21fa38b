// @ts-check
/** The page: reads the address, fetches the view, draws it, and follows what is recorded. */

import { AnswerError, fetchAnswer } from "./answers.js";
import { FILTERS, addressOf, readState } from "./state.js";
import { byId, drawWhenIdle, h, name, replace } from "./dom.js";
import { closeMenusOutside } from "./card.js";
import { drawFilters } from "./filters.js";
import { follow } from "./live.js";

const AGAIN_MILLISECONDS = 2_000;
const SHARED_PART = "programme";

/** @typedef {import("./answers.js").Answer} Answer */
/** @typedef {Record<string, Answer>} Answers by part */

/**
 * What a view sees of the page.
 * @typedef {object} Page
 * @property {import("./state.js").State} state
 * @property {string[]} choices parameters of the view and its parts beyond the filters
 * @property {(changes: Record<string, string | string[] | null>) => void} go shows a changed state
 * @property {(changes: Record<string, string | string[] | null>) => string} address of that state
 * @property {boolean} isMinutes whether amounts are minutes
 */

/**
 * The module of a view.
 * @typedef {object} ViewModule
 * @property {string[]} [parts] further parts that it draws from
 * @property {boolean} [hasFilters] false for a page that filters mean nothing to
 * @property {(host: Element, page: Page) => {update: (answers: Answers) => void}} mount
 *   `update` draws whatever parts have arrived, again and again
 */

/** @type {Map<string, {name: string, title: string, choices: string[]}>} */
let views = new Map();
let state = readState();
let run = new AbortController();
/** @type {{name: string, module: ViewModule, drawing: {update: (answers: Answers) => void}} | null} */
let mounted = null;
/** @type {Answers} */
let answers = {};
/** @type {{restart: () => void} | null} */
let live = null;
let isUpdating = false;
let isStale = false;
/** @type {string | null} the address whose filters are shown */
let filtersAddress = null;

/** @returns {Page} */
function makePage() {
  return {
    get state() { return state; },
    get choices() {
      return [state.view, ...(mounted?.module.parts ?? [])].flatMap((part) => views.get(part)?.choices ?? []);
    },
    get isMinutes() { return (state.values.lens?.[0] ?? "count") !== "count"; },
    address: (changes) => addressOf(state, changes),
    go: (changes) => {
      const address = addressOf(state, changes);
      if (address !== location.search) history.pushState(null, "", address);
      show();
    },
  };
}

const page = makePage();

/** Shows the state of the address. */
async function show() {
  run.abort();
  run = new AbortController();
  const { signal } = run;
  const { programme } = state.values;
  state = readState();
  if (programme?.[0] !== state.values.programme?.[0]) live?.restart();
  if (!views.get(state.view)?.title) state.view = pages()[0].name;
  const { title } = /** @type {{title: string}} */ (views.get(state.view));
  drawNavigation();
  byId("title").textContent = title;
  document.title = `${title} – mutua`;
  byId("content").setAttribute("aria-busy", "true");
  if (mounted?.name !== state.view) {
    mounted = null;
    answers = {};
    replace(byId("content"), h("p", { class: "empty" }, "Loading…"));
    const module = await import(`./pages/${state.view}.js`);
    if (signal.aborted) return;
    replace(byId("content"));
    byId("filters").hidden = module.hasFilters === false;
    mounted = { name: state.view, module, drawing: module.mount(byId("content"), page) };
  }
  await refresh(signal);
}

/**
 * Fetches the parts of the view and draws those that changed.
 * @param {AbortSignal} signal
 */
async function refresh(signal) {
  if (!mounted) return;
  const { module, name: view } = mounted;
  const results = await Promise.allSettled([view, SHARED_PART, ...(module.parts ?? [])].map(
    async (part) => drawPart(part, await fetchAnswer(addressOfPart(part), signal), signal)));
  if (signal.aborted) return;
  byId("content").removeAttribute("aria-busy");
  const failure = results.find((result) => result.status === "rejected");
  if (failure) drawFailure(/** @type {PromiseRejectedResult} */ (failure).reason);
}

/**
 * @param {string} part
 * @param {Answer} answer
 * @param {AbortSignal} signal
 */
function drawPart(part, answer, signal) {
  if (signal.aborted || !mounted) return;
  const isNew = answers[part] !== answer;
  answers = { ...answers, [part]: answer };
  if (part === mounted.name) drawHeading(answer);
  if (part === SHARED_PART) {
    byId("programme").textContent = answer.data.programme;
    if (isNew || filtersAddress !== location.search) {
      filtersAddress = location.search;
      drawWhenIdle(byId("filters"), () => drawFilters(byId("filters"), page, answer.data));
    }
  }
  if (isNew && answers[mounted.name]) mounted.drawing.update(answers);
}

/** @param {string} part */
function addressOfPart(part) {
  const parameters = new URLSearchParams();
  const names = [...FILTERS, ...(views.get(part)?.choices ?? [])];
  for (const key of names.sort()) {
    if (part === SHARED_PART && (key === "from" || key === "to" || key === "lens")) continue;
    for (const value of state.values[key] ?? []) parameters.append(key, value);
  }
  const query = parameters.toString();
  return `views/${part}${query ? `?${query}` : ""}`;
}

function pages() {
  return [...views.values()].filter((view) => view.title);
}

function drawNavigation() {
  replace(byId("nav"), ...pages().map((view) => h("a", {
    href: addressOf(state, { view: view.name }),
    "aria-current": view.name === state.view ? "page" : null,
    "data-key": `nav-${view.name}`,
  }, view.title)));
  byId("nav").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** @param {Answer} answer */
function drawHeading(answer) {
  byId("question").textContent = answer.question;
  byId("basis").textContent = answer.notes.join(" ");
  replace(byId("warnings"), ...answer.warnings.map((warning) => h("li", {}, warning)));
}

/** @param {unknown} failure */
function drawFailure(failure) {
  if (!(failure instanceof AnswerError)) throw failure;
  if (failure.isTemporary) {
    drawLive(false);
    setTimeout(update, AGAIN_MILLISECONDS);
    if (Object.keys(answers).length) return;
  }
  mounted = failure.isTemporary ? mounted : null;
  replace(byId("content"), h("section", { class: "card" },
    h("h2", {}, failure.isTemporary ? "Not connected" : "This cannot be shown"),
    h("p", {}, name(failure.message)),
    failure.remedy ? h("p", { class: "note" }, name(failure.remedy)) : null,
    failure.isTemporary ? null : h("p", {}, h("a", { href: `?view=${state.view}` }, "Show it without filters"))));
}

/** @param {boolean} isConnected */
function drawLive(isConnected) {
  const light = byId("live");
  const text = isConnected ? "Live" : "Not connected, trying again";
  light.className = isConnected ? "live" : "live lost";
  if (light.textContent !== text) light.textContent = text;
}

/**
 * Fetches the view again. An unchanged part costs an empty response. Facts that are recorded in the
 * meantime lead to one more fetch, so that requests never pile up behind a slow view.
 */
async function update() {
  isStale = true;
  if (isUpdating) return;
  isUpdating = true;
  try {
    while (isStale) {
      isStale = false;
      await refresh(run.signal);
    }
  } finally {
    isUpdating = false;
  }
}

/** Links of the page change the state without loading the page again. */
function followLinks() {
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a[href^='?']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    show();
  });
  addEventListener("popstate", () => show());
}

async function start() {
  const listed = await (await fetch("views")).json();
  views = new Map(listed.views.map((/** @type {{name: string}} */ view) => [view.name, view]));
  closeMenusOutside();
  followLinks();
  await show();
  live = follow(() => state.values.programme?.[0] ?? "", update, drawLive);
}

start();
