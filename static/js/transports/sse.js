import { CLOSED, CONNECTING, OPEN, blockBytes } from './reader.js';

/** @typedef {import('./reader.js').Observer} Observer */
/** @typedef {import('./reader.js').Options} Options */

/** Server-Sent Events: ask once; the answer never ends, and the browser asks again if it does. */
export class Reader {
  readyState = CLOSED;
  /** Where we stand in the log. The browser keeps it too, and sends it as `Last-Event-ID`. */
  cursor = '';
  #source = null;
  #types = new Set(['message', 'gap']);

  /**
   * @param {string} channel the channel's path, or its whole address on another origin
   * @param {Observer} observer
   * @param {Options} options
   */
  constructor(channel, observer, options) {
    Object.assign(this, { channel, observer, options });
  }

  /** Reads every event after a cursor. @param {string} after */
  open(after) {
    this.cursor = after;
    this.observer.request();
    // `after` is for the first request only: on a reconnect the header that the browser adds wins.
    const source = new EventSource(`${this.channel}/sse?after=${after}${this.options.query}`);
    this.#source = source;
    this.#become(CONNECTING, 'asking');
    source.onopen = (event) => isOwn(event) && this.#become(OPEN, 'opened');
    source.onerror = (event) => {
      if (!isOwn(event)) return;
      this.observer.trouble('lost');
      if (source.readyState === EventSource.CLOSED) return this.#become(CLOSED, 'refused');
      // Nothing to do: the browser waits for `retry:` and asks again.
      this.observer.request();
      this.#become(CONNECTING, 'browser-reconnects');
    };
    for (const type of this.#types) source.addEventListener(type, this.#hear);
  }

  /** Stops reading. */
  close() {
    this.#source?.close();
    this.#become(CLOSED, 'closed');
  }

  /** An EventSource has no listener for "any type": one must know the names. @param {string} type */
  listen(type) {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    this.#source?.addEventListener(type, this.#hear);
  }

  #hear = ({ type, data, lastEventId }) => {
    // After close() a browser may still hand over what it had parsed.
    if (this.readyState === CLOSED || data === undefined) return;
    this.cursor = lastEventId;
    this.observer.bytes(blockBytes(type, data, lastEventId));
    if (type === 'gap') this.observer.gap(JSON.parse(data));
    else this.observer.event({ id: lastEventId, type, data });
    this.observer.cursor(this.cursor);
  };

  #become(state, why) {
    this.readyState = state;
    this.observer.state(state, why);
  }
}

/** Whether the browser says it: a publisher may name an event `open` or `error` too, but those carry data. */
function isOwn(event) {
  return !(event instanceof MessageEvent);
}
