import { CLOSED, CONNECTING, OPEN, bytesOf, deliver, whyNot } from './reader.js';

/** @typedef {import('./reader.js').Observer} Observer */
/** @typedef {import('./reader.js').Options} Options */

/** How long an answer may take that the server gives at once. */
const PATIENCE_MS = 10_000;

/** Short polling: ask on a timer, be answered at once, mostly with nothing. */
export class Reader {
  readyState = CLOSED;
  /** Where we stand in the log: ours to keep, and to send with each question. */
  cursor = '';
  #end = new AbortController();
  #timer = 0;

  /**
   * @param {string} channel the channel's path, or its whole address on another origin
   * @param {Observer} observer
   * @param {Options} options `interval` may change while it reads
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
    const started = performance.now();
    const url = `${this.channel}/short-poll?after=${this.cursor}${this.options.query}`;
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
    }
    // The interval runs from question to question, so a slow answer does not slow the clock.
    const rest = Math.max(0, started + this.options.interval - performance.now());
    this.#timer = setTimeout(() => this.#ask(end), rest);
  }

  #become(state, why) {
    if (this.readyState === state && state !== CONNECTING) return;
    this.readyState = state;
    this.observer.state(state, why);
  }
}
