/** Unix time in milliseconds by a clock that is never set back while the page is open. */
export const now = () => performance.timeOrigin + performance.now();

/**
 * How coarse that clock is, in milliseconds. A fine clock lets a page spy on what else its process computes, so
 * a page gets one only if it has asked for a process without strangers (COOP and COEP, as this one has).
 */
export const resolution = globalThis.crossOriginIsolated ? 0.005 : 0.1;

/**
 * Asks the server for its time. Whatever it answers, it answered between our question and our hearing it, so
 * that each exchange bounds the difference of the clocks.
 * @param {number} count
 * @returns {Promise<{ asked: number, answered: number, heard: number }[]>} Unix milliseconds
 */
export async function exchanges(count) {
  const list = [];
  for (let number = 0; number < count; number++) {
    const asked = now();
    const response = await fetch('/time', { cache: 'no-store' });
    // Its head is here, so its time was told by now; the body may take another turn.
    const heard = now();
    list.push({ asked, answered: (await response.json()).now, heard });
  }
  return list;
}
