import { CLOSED, CONNECTING, OPEN, bytesOf } from './reader.js';

/** @typedef {import('./reader.js').Observer} Observer */
/** @typedef {import('./reader.js').Options} Options */

/** The first rest before a reconnect and the longest; each is doubled, and shortened at random. */
const REST_MS = 500;
const LONGEST_REST_MS = 10_000;

/** WebSocket: one connection for both directions. Coming back after a loss is the page's task. */
export class Reader {
  readyState = CLOSED;
  /** Where we stand in the log: ours to keep, since the protocol has no ids. */
  cursor = '';
  #socket = null;
  #timer = 0;
  #losses = 0;

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
    const url = new URL(`${this.channel}/websocket?after=${after}${this.options.query}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#become(CONNECTING, 'asking');
    socket.onopen = () => {
      this.#losses = 0;
      this.#become(OPEN, 'opened');
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    // `onerror` says nothing that `onclose`, which always follows, does not say better.
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.observer.trouble(`code-${code}`);
      this.#become(CONNECTING, 'page-reconnects');
      // Clients that were cut together must not come back together.
      const rest = Math.min(LONGEST_REST_MS, REST_MS * 2 ** this.#losses++) * (0.5 + Math.random() / 2);
      this.#timer = setTimeout(() => this.open(this.cursor), rest);
    };
  }

  /** Stops reading. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#become(CLOSED, 'closed');
  }

  /** Types need no listeners: each message says its own. */
  listen() {}

  #hear(text) {
    if (this.#socket === null) return;
    this.observer.bytes(bytesOf(text));
    const message = JSON.parse(text);
    if (message.gap) return this.observer.gap(message.gap);
    if (message.error) return this.observer.trouble(message.error);
    this.cursor = message.cursor ?? message.id ?? this.cursor;
    if (message.id) this.observer.event(message);
    this.observer.cursor(this.cursor);
  }

  #become(state, why) {
    this.readyState = state;
    this.observer.state(state, why);
  }
}
