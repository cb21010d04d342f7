import { element, find, prepend, timeOfDay, channel } from './lib/dom.js';
import { t, has, number } from './lib/i18n.js';
import { delayText, offset, serverNow } from './lib/clock.js';
import { Meter } from './lib/meter.js';
import { Recovery } from './recovery.js';
import { CLOSED, OPEN } from './transports/reader.js';

/** Lines that the lists keep: enough to look back, little enough to stay open for a day. */
const MOST_EVENTS = 50;
const MOST_LOGGED = 100;

/** How long a stream may bring nothing, while the server publishes, before the page says so. */
const QUIET_MS = 3_000;

/** What is further from now than this was not said by the built-in source. */
const LONGEST_DELAY_MS = 24 * 3600 * 1000;

/** How much of an event is shown. */
const SHOWN = 100;

/** One transport on the page: a reader, what it got, and what happened to it. */
export class Panel {
  /** @param {HTMLElement} section @param {new (...all: any[]) => any} Reader */
  constructor(section, Reader) {
    this.section = section;
    this.slug = section.dataset.transport;
    this.meter = new Meter();
    this.options = { interval: 1000, query: '' };
    this.reader = new Reader(channel, this.#observer(), this.options);
    this.recovery = new Recovery(section, this.slug);
    this.expecting = false;
    this.#heardAt = performance.now();
    find('[data-do="start"]', section).addEventListener('click', () => this.start());
    find('[data-do="stop"]', section).addEventListener('click', () => this.stop());
    this.#state(CLOSED, 'closed');
  }

  #heardAt;
  #waiting = [];

  /** Reads on from where it stopped, or from a cursor. @param {string} [after] */
  start(after) {
    if (this.reader.readyState !== CLOSED) return;
    this.#heardAt = performance.now();
    const from = after ?? this.reader.cursor;
    this.recovery.from(from);
    this.reader.open(from);
  }

  /** Reads by another origin, or by the page's own where it is empty; from where it stands. @param {string} origin */
  via(origin) {
    const reads = this.reader.readyState !== CLOSED;
    this.stop();
    this.reader.channel = `${origin}${channel}`;
    // Delays on the way before say nothing about this one.
    this.meter.delays = [];
    if (reads) this.start();
  }

  stop() {
    if (this.reader.readyState !== CLOSED) this.reader.close();
  }

  /** @param {string} text */
  log(text) {
    const line = element('li', {}, element('time', {}, timeOfDay()), ' ', text);
    prepend(find('[data-list="log"]', this.section), line, MOST_LOGGED);
  }

  /** Writes down what has changed. Called a few times a second, however many events there are. */
  show() {
    const { totals, median, delays } = this.meter;
    const field = (name, text) => {
      find(`[data-field="${name}"]`, this.section).textContent = text;
    };
    field('events', number(totals.events));
    field('requests', number(totals.requests));
    field('bytes', number(totals.bytes));
    field('delay', delays.length ? delayText(median) : '–');
    const unsure = Number.isFinite(offset.uncertainty) ? `±${number(offset.uncertainty, 1)} ms` : '';
    field('uncertainty', delays.length ? unsure : '');
    field('cursor', this.reader.cursor || '–');
    const silent = performance.now() - this.#heardAt;
    field('silent', this.reader.readyState === CLOSED ? '–' : `${number(silent / 1000, 1)} s`);
    const quiet = this.expecting && this.reader.readyState !== CLOSED && silent > QUIET_MS + this.options.interval;
    if (quiet && this.section.dataset.quiet !== 'true') this.log(t('log.quiet'));
    this.section.dataset.quiet = String(quiet);
    this.#showEvents();
    this.recovery.show();
  }

  /** The newest events; of a flood only as many as the list keeps are ever made. */
  #showEvents() {
    const list = find('[data-list="events"]', this.section);
    for (const { event, delay } of this.#waiting.splice(0).slice(-MOST_EVENTS)) {
      const shown = event.data.length > SHOWN ? `${event.data.slice(0, SHOWN)}…` : event.data;
      const item = element(
        'li',
        { 'data-id': event.id, 'data-type': event.type },
        element('code', { class: 'id' }, event.id.split('-').pop()),
        ' ',
        element('span', { class: 'type' }, event.type),
        ' ',
        element('span', { class: 'data' }, shown),
      );
      if (delay !== null) item.append(' ', element('span', { class: 'delay' }, delayText(delay)));
      prepend(list, item, MOST_EVENTS);
    }
  }

  #observer() {
    return {
      event: (event) => {
        this.#heardAt = performance.now();
        this.meter.add('events');
        const delay = delayOf(event);
        if (delay !== null) this.meter.delay(delay);
        this.recovery.event(event.id, delay);
        this.#waiting.push({ event, delay });
        if (this.#waiting.length > 2 * MOST_EVENTS) this.#waiting.splice(0, MOST_EVENTS);
        this.section.dispatchEvent(new CustomEvent('pushlab-event', { detail: event }));
      },
      gap: (gap) => {
        this.recovery.gap(gap.missed);
        this.log(t('log.gap', { missed: gap.missed ?? '?', reason: t(`gap.${gap.reason}`) }));
      },
      cursor: () => this.recovery.answered(false),
      state: (state, why) => {
        if (state === OPEN) this.recovery.answered(true);
        this.#state(state, why);
      },
      request: () => this.meter.add('requests'),
      bytes: (count) => this.meter.add('bytes', count),
      trouble: (what) => {
        this.recovery.trouble();
        this.#trouble(what);
      },
    };
  }

  #trouble(what) {
    this.log(has(`trouble.${what}`) ? t(`trouble.${what}`) : t('trouble.other', { what }));
  }

  #state(state, why) {
    this.section.dataset.state = String(state);
    find('[data-field="state"]', this.section).textContent = t(`state.${state}.name`);
    find('[data-field="meaning"]', this.section).textContent = t(`why.${why}`);
    find('[data-do="start"]', this.section).disabled = state !== CLOSED;
    find('[data-do="stop"]', this.section).disabled = state === CLOSED;
    this.log(`readyState ${state}: ${t(`why.${why}`)}`);
  }
}

/** Milliseconds since the event was meant to be published, where it says when; anybody may say anything. */
function delayOf(event) {
  if (!event.data.startsWith('{"seq":')) return null;
  try {
    const delay = serverNow() - JSON.parse(event.data).at;
    return Math.abs(delay) < LONGEST_DELAY_MS && Number.isFinite(offset.uncertainty) ? delay : null;
  } catch {
    return null;
  }
}
