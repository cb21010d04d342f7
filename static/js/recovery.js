import { find, channel } from './lib/dom.js';
import { t, number } from './lib/i18n.js';
import { timeline } from './lib/timeline.js';

/** How much before the cut is shown, and for how long what comes after is noted; milliseconds. */
const BEFORE_MS = 3_000;
const LONGEST_MS = 90_000;

/** How much longer is watched once all has come that was missed: for what might come twice. */
const AFTERWARDS_MS = 1_500;

/** Events that are drawn; of a flood the first ones. */
const MOST_MARKS = 600;

/** What is told of a recovery, in the order in which it happens. */
const STEPS = ['noticed', 'back', 'caught'];

/**
 * What one reader makes of a cut: when it noticed, when it was back, when it had all that was published in
 * the meantime, and whether anything was lost or came twice. The last cut only.
 */
export class Recovery {
  #figure;
  #isPolled;
  #marks = [];
  #last = null;
  #now = null;
  #drawn = null;
  #width = 0;

  /** @param {HTMLElement} section the panel @param {string} slug the transport */
  constructor(section, slug) {
    this.#figure = find('[data-part="recovery"]', section);
    this.#isPolled = slug.endsWith('-poll');
  }

  /**
   * An event came.
   * @param {string} id
   * @param {number | null} delay milliseconds since it was published, where it says when
   */
  event(id, delay) {
    const [epoch, digits] = id.split('-');
    const at = performance.now();
    const mark = { epoch, sequence: Number(digits), at, published: delay === null ? null : at - Math.max(0, delay) };
    this.#count(mark);
    this.#marks.push(mark);
    if (this.#now === null || this.#now.shown) {
      while (this.#marks.length > MOST_MARKS || this.#marks[0].at < at - BEFORE_MS) this.#marks.shift();
    } else if (this.#marks.length > 2 * MOST_MARKS) {
      this.#marks.pop();
    }
    this.#look();
  }

  /** What lies before this place is in order: here the reader begins, or goes on after a gap. */
  from(cursor) {
    const [epoch, digits] = cursor.split('-');
    if (this.#last?.epoch !== epoch) this.#last = { epoch, sequence: Number(digits) };
  }

  /** Events are missing, and the server said so. @param {number | null} missed */
  gap(missed) {
    if (this.#last && missed !== null) this.#last.sequence += missed;
    else this.#last = null;
    if (this.#now) this.#now.announced += missed ?? 0;
  }

  /** The page has a cut made. @param {string} how in words @param {number} at when, by this page's clock */
  cut(how, at) {
    this.#begin(how, at);
  }

  /** No cut was made after all. */
  none() {
    this.#now = null;
    this.#figure.hidden = true;
  }

  /** The reader was told that its connection or its request failed. */
  trouble() {
    const at = performance.now();
    if (this.#now === null || this.#isOver(at)) this.#begin(t('recovery.lost-itself'), at);
    if (at >= this.#now.cut) this.#now.noticed ??= at;
  }

  /** The server answers, on a stream or to a poll. @param {boolean} anew whether a stream was opened just now */
  answered(anew) {
    const at = performance.now();
    const now = this.#now;
    // On a stream, what was under way may still come after the cut. A poll's answer comes by a new request.
    if (now === null || now.back !== null || at < now.cut || !(this.#isPolled || (anew && now.noticed !== null))) return;
    now.back = at;
    this.#ask(now);
  }

  /** Draws it, while it goes on. */
  show() {
    const now = this.#now;
    if (now === null || performance.now() < now.cut) return;
    const place = find('[data-part="timeline"]', this.#figure);
    if (now.shown) {
      // What is over changes no more, but the room for it may.
      if (place.clientWidth !== this.#width) this.#draw(place);
      return;
    }
    const at = performance.now();
    now.shown = this.#isOver(at);
    const until = now.shown && now.caught !== null ? now.caught + AFTERWARDS_MS : at;
    const missing = now.back === null ? t('recovery.not-yet') : t('recovery.never');
    const since = (time) => (time === null ? missing : t('recovery.after', { ms: number(time - now.cut) }));
    for (const step of STEPS) find(`[data-recovery="${step}"]`, this.#figure).textContent = since(now[step]);
    find('[data-recovery="lost"]', this.#figure).textContent = number(now.lost);
    find('[data-recovery="duplicated"]', this.#figure).textContent = number(now.duplicated);
    find('[data-recovery="announced"]', this.#figure).textContent = number(now.announced);
    this.#figure.hidden = false;
    const marks = this.#marks.filter((mark) => mark.at >= now.cut - BEFORE_MS && mark.at <= until);
    const words = t('recovery.drawn', { how: now.how, noticed: since(now.noticed), back: since(now.back), caught: since(now.caught) });
    this.#drawn = { ...now, marks, from: now.cut - BEFORE_MS, until, words };
    this.#draw(place);
    if (now.shown) find('[data-field="recovery"]', this.#figure).textContent = words;
  }

  #draw(place) {
    this.#width = place.clientWidth;
    place.replaceChildren(timeline(this.#width, this.#drawn));
  }

  #begin(how, cut) {
    this.#now = { how, cut, noticed: null, back: null, caught: null, goal: null, lost: 0, duplicated: 0, announced: 0, shown: false };
    this.#marks = this.#marks.filter((mark) => mark.at > performance.now() - BEFORE_MS);
    find('[data-field="recovery"]', this.#figure).textContent = '';
  }

  #isOver(at) {
    const { caught, cut } = this.#now;
    return (caught !== null && at > caught + AFTERWARDS_MS) || at > cut + LONGEST_MS;
  }

  /** Ids count up by one: a step of more is a loss, a step back is something that came twice. */
  #count({ epoch, sequence }) {
    if (this.#last?.epoch === epoch && this.#now && performance.now() >= this.#now.cut) {
      if (sequence <= this.#last.sequence) this.#now.duplicated += 1;
      else this.#now.lost += sequence - this.#last.sequence - 1;
    }
    this.#last = { epoch, sequence: this.#last?.epoch === epoch ? Math.max(sequence, this.#last.sequence) : sequence };
  }

  /** Caught up is who has all that had been published when it was back: the channel says how far that is. */
  async #ask(now) {
    try {
      const { cursor } = await (await fetch(channel, { cache: 'no-store' })).json();
      const [epoch, digits] = cursor.split('-');
      now.goal = { epoch, sequence: Number(digits) };
    } catch {
      // The server is gone again, which the reader will notice.
      now.back = null;
    }
    this.#look();
  }

  #look() {
    const now = this.#now;
    if (!now?.goal || now.caught !== null || this.#last === null) return;
    if (this.#last.epoch === now.goal.epoch && this.#last.sequence < now.goal.sequence) return;
    const reached = this.#marks.find(({ epoch, sequence }) => epoch === now.goal.epoch && sequence >= now.goal.sequence);
    now.caught = Math.max(now.back, reached?.at ?? now.back);
  }
}
