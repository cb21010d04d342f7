/** How many seconds a meter and its charts reach back. */
export const SECONDS = 60;

/** How many of the newest delays the median is taken of. */
const DELAYS = 50;

/** The least delay that is drawn, in milliseconds: a logarithm has no zero, and clocks are off by more. */
const LEAST = 0.1;

/** Counts what one reader gets, per second and in all; bounded, however long the page is open. */
export class Meter {
  totals = { events: 0, requests: 0, bytes: 0 };
  delays = [];
  #buckets = new Map();

  /** @param {'events' | 'requests' | 'bytes'} what @param {number} [count] */
  add(what, count = 1) {
    this.totals[what] += count;
    const second = Math.floor(performance.now() / 1000);
    if (!this.#buckets.has(second)) {
      this.#buckets.set(second, { events: 0, requests: 0, bytes: 0, delay: null });
      for (const old of this.#buckets.keys()) if (old < second - SECONDS - 1) this.#buckets.delete(old);
    }
    this.#buckets.get(second)[what] += count;
  }

  /** An event's delay in milliseconds; call it after counting the event. @param {number} ms */
  delay(ms) {
    this.delays.push(ms);
    if (this.delays.length > DELAYS) this.delays.shift();
    const bucket = this.#buckets.get(Math.floor(performance.now() / 1000));
    if (bucket) bucket.delay = Math.max(bucket.delay ?? LEAST, ms);
  }

  /** The median of the newest delays, or NaN. */
  get median() {
    const sorted = this.delays.toSorted((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : NaN;
  }

  /** One value per full second, oldest first. @param {'events' | 'requests' | 'bytes' | 'delay'} what */
  series(what) {
    const last = Math.floor(performance.now() / 1000) - 1;
    return Array.from({ length: SECONDS }, (_, index) => {
      const second = last - SECONDS + 1 + index;
      if (second < 0) return null;
      return this.#buckets.get(second)?.[what] ?? (what === 'delay' ? null : 0);
    });
  }
}

/** The seconds that a series covers, as "so long ago": from -60 to -1. */
export const ages = Array.from({ length: SECONDS }, (_, index) => index - SECONDS);
