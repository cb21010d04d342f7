import { t, number } from './i18n.js';

/** Rows of the drawing, from the top: published, received, the axis with its words. */
const PUBLISHED = 26;
const RECEIVED = 66;
const AXIS = 92;
const HEIGHT = 112;
const MARGIN = 12;

/** Words on the axis need so much room each. */
const WORD_WIDTH = 64;

const svg = (name, attributes, ...children) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
};

/**
 * A recovery as a picture: each event a line from when it was published to when it came, so that what a cut
 * held up is seen to come in a heap; the cut, and what followed it, as upright lines.
 *
 * @param {number} room  pixels that are there
 * @param {{ marks: { at: number, published: number | null }[], from: number, until: number, cut: number,
 *   noticed: number | null, back: number | null, caught: number | null, words: string }} what
 *   times in milliseconds by the page's clock; `words` say the same to whoever does not see it
 */
export function timeline(room, { marks, from, until, cut, noticed, back, caught, words }) {
  const width = Math.max(240, room);
  const x = (time) => (MARGIN + ((time - from) / Math.max(1, until - from)) * (width - 2 * MARGIN)).toFixed(1);
  const upright = (time, kind) => svg('line', { class: kind, x1: x(time), x2: x(time), y1: 4, y2: AXIS });
  // However many events there are, one element for all: a page that is left open keeps its last drawing.
  const dots = (kind, times, y) => svg('path', { class: kind, d: times.map((time) => `M${x(time)},${y}h0`).join('') });
  const told = marks.filter(({ published }) => published !== null);
  const begun = told.map(({ published }) => published).filter((published) => published >= from);
  const ways = told.map(({ at, published }) => `M${x(Math.max(from, published))},${PUBLISHED}L${x(at)},${RECEIVED}`);
  const label = (text, y) => svg('text', { class: 'row', x: MARGIN, y }, text);
  const drawn = svg('svg', { class: 'timeline', width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': words });

  const silentFrom = marks.findLast((mark) => mark.at < (back ?? until))?.at ?? from;
  const start = Math.max(cut, silentFrom);
  const end = back ?? until;
  if (end > start) {
    drawn.append(svg('rect', { class: 'silence', x: x(start), y: PUBLISHED, width: Math.max(0, x(end) - x(start)), height: RECEIVED - PUBLISHED }));
  }
  drawn.append(svg('line', { class: 'axis', x1: MARGIN, x2: width - MARGIN, y1: AXIS, y2: AXIS }));
  drawn.append(svg('path', { class: 'way', d: ways.join('') }), dots('published', begun, PUBLISHED), dots('received', marks.map(({ at }) => at), RECEIVED));
  drawn.append(upright(cut, 'cut'));
  for (const [kind, time] of Object.entries({ noticed, back, caught })) if (time !== null) drawn.append(upright(time, kind));
  drawn.append(label(t('recovery.published'), PUBLISHED - 10), label(t('recovery.received'), RECEIVED + 18));
  for (const second of seconds(from - cut, until - cut, Math.floor(width / WORD_WIDTH))) {
    drawn.append(svg('text', { class: 'tick', x: x(cut + second * 1000), y: HEIGHT - 4, 'text-anchor': 'middle' }, `${number(second)} s`));
  }
  return drawn;
}

/** Whole seconds between two times, so far apart that at most so many are there. */
function seconds(from, until, most) {
  const step = [1, 2, 5, 10, 20, 30, 60].find((step) => (until - from) / 1000 / step <= most) ?? 120;
  const first = Math.ceil(from / 1000 / step);
  return Array.from({ length: Math.floor(until / 1000 / step) - first + 1 }, (_, index) => (first + index) * step);
}
