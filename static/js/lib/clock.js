import { number } from './i18n.js';

/**
 * How far the server's clock is from ours. We ask it for the time: the answer was written somewhere between
 * our question and its arrival, so the quickest of a few exchanges bounds the difference best, to within
 * half its duration.
 */
const EXCHANGES = 8;
const AGAIN_MS = 30_000;

/** Unix time in milliseconds by a clock that is never set back while the page is open. */
const here = () => performance.timeOrigin + performance.now();

/** The difference to add to our time, and what it may be off by; both in milliseconds. */
export const offset = { ms: 0, uncertainty: Infinity };

/** The server's time now, in Unix milliseconds. */
export function serverNow() {
  return here() + offset.ms;
}

async function exchange() {
  const asked = here();
  const response = await fetch('/time', { cache: 'no-store' });
  const { now } = await response.json();
  const answered = here();
  return { ms: now - (asked + answered) / 2, uncertainty: (answered - asked) / 2 };
}

/** Estimates the difference, and again every half minute, since clocks drift. @param {() => void} [told] */
export async function synchronise(told = () => {}) {
  try {
    let best = { ms: 0, uncertainty: Infinity };
    for (let count = 0; count < EXCHANGES; count++) {
      const next = await exchange();
      if (next.uncertainty < best.uncertainty) best = next;
    }
    Object.assign(offset, best);
    told();
  } catch {
    // The server is gone, which the readers show. The old estimate is the best there is.
  }
  setTimeout(synchronise, AGAIN_MS, told);
}

/** A delay in words. One that is less than the clocks may be off by is only known to be below a bound. */
export function delayText(ms) {
  const unsure = offset.uncertainty;
  return ms > unsure ? `${number(ms, 1)} ms` : `≤ ${number(Math.max(0, ms) + unsure, 1)} ms`;
}
