import { note } from './notes.js';
import { open as openSse } from './sse.js';
import { open as openWebSocket } from './websocket.js';

/**
 * @typedef {object} Observer
 * @property {() => void} open
 * @property {(id: string, type: string, data: string) => void} event
 * @property {(gap: { missed: number | null, reason: string }) => void} gap
 * @property {(cursor: string) => void} cursor
 * @property {(cause: string, comesBack: boolean) => void} closed  `comesBack`: the browser itself will try again
 *
 * @typedef {object} Subscription
 * @property {'sse' | 'websocket'} transport
 * @property {string} url
 * @property {'standard' | 'never' | 'fixed' | 'exponential'} reconnect
 * @property {number} base     milliseconds of the first wait
 * @property {number} cap      milliseconds of the longest one
 * @property {boolean} jitter  whether a wait is drawn between none at all and its length
 * @property {boolean} resume  whether to come back to where it stood
 */

const open = { sse: openSse, websocket: openWebSocket };

let close = () => {};
let timer = 0;
let stopped = false;

/** Reads, and comes back as the policy says. @param {Subscription} subscription */
export function read({ transport, url, reconnect, base, cap, jitter, resume }) {
  let cursor = null;
  let attempt = 0;
  let waits = 0;

  const connect = () => {
    attempt += 1;
    note('connecting', { attempt });
    close = open[transport](url, resume ? cursor : null, observer);
  };

  const observer = {
    open() {
      attempt = 0;
      waits = 0;
      note('open');
    },
    event(id, type, data) {
      cursor = id;
      note('event', { id, type, data });
    },
    gap: (gap) => note('gap', gap),
    cursor(at) {
      cursor = at;
    },
    closed(cause, comesBack) {
      if (stopped) return;
      note('closed', { cause });
      // The browser tells neither how long it waits nor when it begins to connect.
      if (comesBack && reconnect === 'standard') return;
      close();
      if (reconnect === 'standard' || reconnect === 'never') return note('ended', { cause });
      const full = reconnect === 'fixed' ? base : Math.min(cap, base * 2 ** waits);
      const wait = jitter ? full * Math.random() : full;
      waits += 1;
      note('retrying', { after_ms: Math.round(wait) });
      timer = setTimeout(connect, wait);
    },
  };

  connect();
}

/** Stops reading. */
export function stop() {
  stopped = true;
  clearTimeout(timer);
  close();
}
