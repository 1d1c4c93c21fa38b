// @ts-check
/** Makes elements. Text becomes text nodes, so that nothing recorded is ever read as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | EventListener | null | undefined>} Attributes */

/**
 * An HTML element. `on...` attributes are listeners; false, null and undefined ones are left out.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An SVG element, as `h`.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  for (const child of children) {
    if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
  return element;
}

/**
 * The element of the page with an id.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Text from people, apart from the direction of what is around it.
 * @param {string} text
 */
export function name(text) {
  return h("bdi", {}, text);
}

/**
 * Replaces what an element contains and keeps the focus on the element with the same `data-key`.
 * @param {Element} host
 * @param {...Child} children
 */
export function replace(host, ...children) {
  const active = document.activeElement;
  const key = active && host.contains(active) ? active.getAttribute("data-key") : null;
  host.replaceChildren();
  fill(host, {}, children);
  if (key) {
    const again = host.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (again instanceof HTMLElement || again instanceof SVGElement) again.focus({ preventScroll: true });
  }
}

/** @type {WeakMap<Element, () => void>} */
const waitingDrawings = new WeakMap();

/**
 * Calls `draw`, which replaces what an element contains, when nobody types or drags in there; the
 * latest one if there are several.
 * @param {Element} host
 * @param {() => void} draw
 */
export function drawWhenIdle(host, draw) {
  const used = host.querySelector('[role="combobox"][aria-expanded="true"], input:active');
  const isWaiting = waitingDrawings.has(host);
  waitingDrawings.set(host, draw);
  if (!used) {
    waitingDrawings.delete(host);
    draw();
  } else if (!isWaiting) {
    const end = used.getAttribute("role") === "combobox" ? "blur" : "change";
    used.addEventListener(end, () => setTimeout(() => {
      const latest = waitingDrawings.get(host);
      waitingDrawings.delete(host);
      if (latest) drawWhenIdle(host, latest);
    }), { once: true });
  }
}

/**
 * Calls `draw` with the width of an element now, and again when the width changes.
 * @param {Element} host
 * @param {(width: number) => void} draw
 */
export function onWidth(host, draw) {
  let last = 0;
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== last) draw((last = width));
  });
  observer.observe(host);
}
