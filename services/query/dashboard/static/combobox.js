// @ts-check
/** A text field that suggests organizations while one types (the combobox pattern of ARIA). */

import { h, name, replace } from "./dom.js";

const MAX_SUGGESTIONS = 30;

/** @typedef {{id: string, label: string}} Party */

/**
 * @param {object} options
 * @param {string} options.id
 * @param {string} options.label
 * @param {() => Party[]} options.parties
 * @param {Party | null} options.selected
 * @param {(party: Party | null) => void} options.onselect
 * @param {string} [options.placeholder]
 * @param {boolean} [options.takesNew] whether a name that nobody has may be chosen
 * @returns {HTMLElement}
 */
export function combobox({ id, label, parties, selected: first, onselect, placeholder = "Any", takesNew = false }) {
  let selected = first;
  /** @type {Party[]} */
  let shown = [];
  let active = -1;
  let isNearMiss = false;
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
  const input = /** @type {HTMLInputElement} */ (h("input", {
    id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
    dir: "auto", "data-key": id, "aria-expanded": "false", "aria-controls": `${id}-list`,
    "aria-autocomplete": "list", oninput: () => open(), onfocus: () => input.select(),
    onclick: () => open(true), onblur: () => leave(),
    onkeydown: /** @type {EventListener} */ ((/** @type {KeyboardEvent} */ event) => press(event)),
  }));
  input.value = selected?.label ?? "";
  const clear = h("button", {
    type: "button", class: "clear", hidden: !selected, "aria-label": `Clear ${label.toLowerCase()}`,
    onclick: () => {
      forget();
      onselect(null);
    },
  }, "×");

  function forget() {
    selected = null;
    input.value = "";
    clear.hidden = true;
  }

  /** @param {boolean} [isWhole] whether to suggest all */
  function open(isWhole = false) {
    const words = isWhole ? [] : fold(input.value).split(" ").filter(Boolean);
    shown = parties().filter((party) => {
      const text = fold(`${party.label} ${party.id}`);
      return words.every((word) => text.includes(word));
    }).slice(0, MAX_SUGGESTIONS);
    isNearMiss = !shown.length && words.length > 0;
    if (isNearMiss) shown = findNearMisses(parties(), input.value);
    const typed = input.value.trim();
    if (takesNew && typed && !isWhole && !shown.some((party) => fold(party.label) === fold(typed))) {
      shown = [...shown, { id: typed, label: `New organization: ${typed}` }];
    }
    active = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  }

  function mark() {
    replace(list, ...(shown.length ? shown.map((party, index) => h("li", {
      id: `${id}-${index}`, role: "option", "aria-selected": index === active ? "true" : "false",
      onpointerdown: (event) => {
        event.preventDefault();
        choose(party);
      },
    }, isNearMiss && party.id !== party.label ? h("span", { class: "aside" }, "Did you mean ") : null, name(party.label))) : [h("li", { class: "empty", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "No organization has this name")]));
    if (active >= 0) {
      input.setAttribute("aria-activedescendant", `${id}-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function leave() {
    close();
    if (!input.value.trim() && selected) {
      forget();
      onselect(null);
    } else input.value = selected?.label ?? "";
  }

  /** @param {Party} party */
  function choose(party) {
    close();
    if (party.id === selected?.id) {
      input.value = party.label;
      return;
    }
    selected = party;
    input.value = party.label;
    clear.hidden = false;
    onselect(party);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = shown.length ? (active + step + shown.length) % shown.length : -1;
      mark();
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      // A near miss is a guess: it takes an arrow key to choose it.
      if (shown.length && (active >= 0 || !isNearMiss)) choose(shown[Math.max(0, active)]);
    } else if (event.key === "Escape") {
      input.value = selected?.label ?? "";
      close();
    }
  }

  return h("div", { class: "combobox" }, h("label", { for: id }, label),
    h("div", { class: "field" }, input, clear, list));
}

/** @param {string} text */
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

/**
 * Names that share most pairs of letters with what was typed.
 * @param {Party[]} parties
 * @param {string} typed
 */
function findNearMisses(parties, typed) {
  const wanted = pairsOf(typed);
  return parties
    .map((party) => ({ party, likeness: compare(wanted, pairsOf(party.label)) }))
    .filter(({ likeness }) => likeness > 0.35)
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, 5)
    .map(({ party }) => party);
}

/** @param {string} text */
function pairsOf(text) {
  const folded = fold(text);
  return new Set([...folded].slice(1).map((letter, index) => folded[index] + letter));
}

/** How much of what was typed is in the name. @param {Set<string>} typed @param {Set<string>} name */
function compare(typed, name) {
  return [...typed].filter((pair) => name.has(pair)).length / Math.max(1, typed.size);
}
