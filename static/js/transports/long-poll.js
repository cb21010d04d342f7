import { CLOSED, CONNECTING, OPEN, bytesOf, deliver, whyNot } from './reader.js';

/** @typedef {import('./reader.js').Observer} Observer */
/** @typedef {import('./reader.js').Options} Options */

/** How long the server may hold a question, in seconds, and how much longer an answer may take. */
const WAIT_S = 25;
const PATIENCE_MS = WAIT_S * 1000 + 10_000;

/** The rest after a question that failed, lest a server that is down gets thousands of them. */
const REST_MS = 1_000;

/** Long polling: ask, and be answered when there is something. */
export class Reader {
  readyState = CLOSED;
  /** Where we stand in the log: ours to keep, and to send with each question. */
  cursor = '';
  #end = new AbortController();
  #timer = 0;

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
    this.#end = new AbortController();
    this.#become(CONNECTING, 'asking');
    this.#ask(this.#end.signal);
  }

  /** Stops reading. */
  close() {
    clearTimeout(this.#timer);
    this.#end.abort();
    this.#become(CLOSED, 'closed');
  }

  /** Types need no listeners: each event of an answer says its own. */
  listen() {}

  async #ask(end) {
    const url = `${this.channel}/long-poll?after=${this.cursor}&wait=${WAIT_S}${this.options.query}`;
    let rest = 0;
    try {
      this.observer.request();
      const patience = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.any([end, patience]) });
      const text = await response.text();
      if (end.aborted) return;
      if (!response.ok) throw new Error(text);
      this.observer.bytes(bytesOf(text));
      this.cursor = deliver(JSON.parse(text), this.observer);
      this.#become(OPEN, 'answered');
    } catch (error) {
      if (end.aborted) return;
      this.observer.trouble(whyNot(error));
      this.#become(CONNECTING, 'asking-again');
      rest = REST_MS;
    }
    // The next question follows at once: between the two, nobody listens.
    this.#timer = setTimeout(() => this.#ask(end), rest);
  }

  #become(state, why) {
    if (this.readyState === state && state !== CONNECTING) return;
    this.readyState = state;
    this.observer.state(state, why);
  }
}
