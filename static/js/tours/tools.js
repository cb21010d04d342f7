import { channel } from '../lib/dom.js';

export { channel };

/** Waits. @param {number} ms */
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Text as a programmer writes it, so that line ends and blanks are seen. */
export const quoted = (text) => JSON.stringify(text);

/** The address of a stream that is this text, and then ends; see src/server/tour.rs. @param {string} body */
export const streamOf = (body) => `/tour/raw?${new URLSearchParams({ body, end: '' })}`;

/** Publishes an event in the page's room; returns its id. */
export async function publish(data, type = 'message') {
  const response = await fetch(`${channel}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type, data }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer.id;
}

/** The room's newest cursor. */
export async function present() {
  return (await (await fetch(channel, { cache: 'no-store' })).json()).cursor;
}

/** A word that no other step uses. */
export const word = (start) => `${start}-${Math.random().toString(36).slice(2, 8)}`;
