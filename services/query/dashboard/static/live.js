// @ts-check
/** Follows what is recorded, and connects again by itself. */

const AGAIN_MILLISECONDS = 2_000;
const COALESCE_MILLISECONDS = 200;

/**
 * Calls `onchange` when facts were recorded, and after a lost connection is back; `onconnection`
 * when the connection is there or lost. A hidden page is not connected, because a browser has few
 * connections for all pages of a server.
 * @param {() => string} programme
 * @param {() => void} onchange
 * @param {(isConnected: boolean) => void} onconnection
 * @returns {{restart: () => void}} `restart` follows another programme
 */
export function follow(programme, onchange, onconnection) {
  /** @type {EventSource | null} */
  let source = null;
  let wait = 0;
  let change = 0;

  function changed() {
    change ||= window.setTimeout(() => {
      change = 0;
      onchange();
    }, COALESCE_MILLISECONDS);
  }

  function connect() {
    close();
    if (document.visibilityState === "hidden") return;
    const query = programme() ? `?programme=${encodeURIComponent(programme())}` : "";
    source = new EventSource(`api/v1/watch/status${query}`);
    let isFirst = true;
    source.addEventListener("open", () => {
      onconnection(true);
      isFirst = true;
    });
    // The snapshot repairs what was missed; the page has just fetched the same when it opens.
    source.addEventListener("snapshot", () => {
      if (isFirst) changed();
      isFirst = false;
    });
    source.addEventListener("delta", changed);
    source.addEventListener("reset", changed);
    source.addEventListener("error", () => {
      onconnection(false);
      if (source?.readyState === EventSource.CLOSED) wait = window.setTimeout(connect, AGAIN_MILLISECONDS);
    });
  }

  function close() {
    clearTimeout(wait);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", connect);
  addEventListener("pagehide", close);
  connect();
  return { restart: connect };
}
