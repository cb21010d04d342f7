import { channel } from '../lib/dom.js';

export { channel };

/** Waits. @param {number} ms */
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Text as a programmer writes it, so that line ends and blanks are seen. */
export const quoted = (text) => JSON.stringify(text);

/** The address of an answer that the server gives by our script; see src/server/pages/stream.rs. */
export const scripted = (script, origin = '') => `${origin}/stream?${new URLSearchParams(script)}`;

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
  return (await (await fetch(channel)).json()).cursor;
}

/** A word that no other step uses. */
export const word = (start) => `${start}-${Math.random().toString(36).slice(2, 8)}`;
