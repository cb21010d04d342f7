/**
 * What the four readers have in common. Each is a class `Reader` with the same members, `open`, `close`,
 * `listen`, `readyState` and `cursor`, in the same order: put two of the files side by side, and what
 * differs is the transport.
 *
 * @typedef {object} Event
 * @property {string} id    the cursor after this event
 * @property {string} type
 * @property {string} data
 *
 * @typedef {object} Gap
 * @property {number | null} missed
 * @property {'evicted' | 'restarted'} reason
 *
 * @typedef {object} Observer
 * @property {(event: Event) => void} event
 * @property {(gap: Gap) => void} gap
 * @property {(cursor: string) => void} cursor
 * @property {(state: number, why: string) => void} state
 * @property {() => void} request               one more HTTP request was made
 * @property {(count: number) => void} bytes    so many bytes of body or messages came
 * @property {(what: string) => void} trouble   a request or a connection failed
 *
 * @typedef {object} Options
 * @property {number} interval  milliseconds from one short poll to the next
 * @property {string} query     what to add to every address; empty, or beginning with `&`
 */

/** The values of `EventSource.readyState`; the other three readers use them too, to be comparable. */
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSED = 2;

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. @param {string} text */
export function bytesOf(text) {
  return encoder.encode(text).length;
}

/**
 * Bytes of an event as the server writes it in a stream. `EventSource` shows the fields but not the bytes,
 * so they are counted from the fields.
 */
export function blockBytes(type, data, id) {
  const event = type === 'message' ? '' : `event: ${type}\n`;
  return bytesOf(`id: ${id}\n${event}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`);
}

/** Hands a poll's answer over; returns the cursor to ask with next. */
export function deliver(answer, observer) {
  if (answer.gap) observer.gap(answer.gap);
  for (const event of answer.events) observer.event(event);
  observer.cursor(answer.cursor);
  return answer.cursor;
}

/** A failed fetch in a few words. @param {Error} error */
export function whyNot(error) {
  return error.name === 'TimeoutError' ? 'no-answer' : error.name === 'TypeError' ? 'lost' : error.message;
}
