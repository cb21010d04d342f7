import { now } from './clock.js';

/** Characters that may wait to be taken; what is beyond is counted, and makes the run fail. */
const ROOM = 8 << 20;
/** What a note takes besides its data. */
const NOTE = 100;

let notes = [];
let held = 0;
let leftOut = 0;

/**
 * Notes something that the reader saw, with the time at which it did.
 * @param {'connecting' | 'open' | 'event' | 'gap' | 'closed' | 'retrying' | 'ended'} kind
 * @param {object} [more]  what there is to say; an event's `data`
 */
export function note(kind, more = {}) {
  const at = now();
  const size = NOTE + (more.data?.length ?? 0);
  if (held + size > ROOM) {
    leftOut += 1;
    return;
  }
  held += size;
  notes.push({ kind, at, ...more });
}

/** Hands the notes over and begins anew. */
export function take() {
  const taken = { notes, left_out: leftOut };
  notes = [];
  held = 0;
  return taken;
}
