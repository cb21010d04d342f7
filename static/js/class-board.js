import { element, find, prepend } from './lib/dom.js';
import { t, number } from './lib/i18n.js';
import { serverNow, synchronise } from './lib/clock.js';

/**
 * A class's board: `workshop check --board` publishes each verdict on a channel, as anybody publishes, and this
 * page reads the channel from its oldest event on, with an EventSource, as anybody reads. Nothing else is kept:
 * the grid is what the log adds up to, so it is the same after a reload, and on every screen.
 *
 * @typedef {object} Verdict
 * @property {string} room
 * @property {string} exercise
 * @property {'passed' | 'failed' | 'could-not-tell'} verdict
 * @property {string[]} met         names of expectations, in the check's order
 * @property {string[]} missed
 * @property {string[]} not_reached
 * @property {number} at_ms         when, in Unix milliseconds by the server's clock
 * @property {Record<string, number>} passed  what the room had passed by then, and when: should the log have
 *   lost its beginning, the room's next verdict tells it again
 */

/** Whatever is published, the page stays this small. */
const MOST_ROOMS = 100;
const MOST_STRANGE_EXERCISES = 10;
const MOST_LINES = 100;
const NAME_LENGTH = 64;

const SUM_MS = 50;

const VERDICTS = ['passed', 'failed', 'could-not-tell'];
const channel = `/channels/${document.body.dataset.board}`;
const list = find('[data-list="rooms"]');
const log = find('[data-list="log"]');
const told = find('[data-field="told"]');
const foot = find('tfoot tr');

/** Columns by exercise: the heads that the server wrote, and those of exercises that it does not know. */
const columns = new Map([...document.querySelectorAll('th[data-exercise]')].map((head) => [head.dataset.exercise, find(`[data-passed="${head.dataset.exercise}"]`)]));
const known = columns.size;

/** @type {Map<string, { row: HTMLElement, passed: HTMLElement, cells: Map<string, { place: HTMLElement, passedAt: number | null }> }>} */
const rooms = new Map();
let ignored = 0;
let clearedAt = 0;
let summing = 0;

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const timeText = (ms) => (Math.abs(ms) < 8e15 ? clock.format(ms) : '–');
const short = (text) => (text.length > NAME_LENGTH ? `${text.slice(0, NAME_LENGTH)}…` : text);

/** What stands in an event, if it is a verdict. @returns {Verdict | null} */
function verdictIn(text) {
  const isNames = (value) => Array.isArray(value) && value.every((name) => typeof name === 'string');
  try {
    const it = JSON.parse(text);
    const isOne =
      typeof it.room === 'string' && it.room !== '' && typeof it.exercise === 'string' && it.exercise !== '' &&
      VERDICTS.includes(it.verdict) && isNames(it.met) && isNames(it.missed) && isNames(it.not_reached) && Number.isFinite(it.at_ms);
    return isOne ? { ...it, room: short(it.room), exercise: short(it.exercise) } : null;
  } catch {
    return null;
  }
}

/** A room's row, in its place among the others; none where the board is full. */
function roomOf(name) {
  if (rooms.has(name)) return rooms.get(name);
  if (rooms.size >= MOST_ROOMS) return null;
  // Only what may be a room's name becomes a link to it.
  const label = /^[a-z0-9-]+$/.test(name) ? element('a', { href: `/?room=${name}` }, name) : name;
  const passed = element('td', { class: 'sum' }, '0');
  const row = element('tr', {}, element('th', { scope: 'row' }, label), passed);
  const after = [...rooms].filter(([other]) => name.localeCompare(other, 'en', { numeric: true }) < 0).map(([, room]) => room.row);
  const next = [...list.children].find((other) => after.includes(other));
  list.insertBefore(row, next ?? null);
  const room = { row, passed, cells: new Map() };
  for (const exercise of columns.keys()) addCell(room, exercise);
  rooms.set(name, room);
  return room;
}

function addCell(room, exercise) {
  const place = element('td');
  room.row.append(place);
  room.cells.set(exercise, { place, passedAt: null });
}

/** Makes a column for an exercise that the server does not know, such as a leader's own, within a bound. */
function hasColumn(exercise) {
  if (columns.has(exercise)) return true;
  if (columns.size >= known + MOST_STRANGE_EXERCISES) return false;
  const sum = element('td', {}, '0');
  find('thead tr').append(element('th', { scope: 'col' }, element('span', { class: 'turned' }, exercise)));
  foot.append(sum);
  columns.set(exercise, sum);
  for (const room of rooms.values()) addCell(room, exercise);
  return true;
}

/** Writes a cell: a sign that is read from the back of the room, the time, and all of it in words. */
function write(cell, verdict, sign, at, words) {
  cell.place.dataset.verdict = verdict;
  cell.place.title = words;
  cell.place.replaceChildren(
    element('span', { 'aria-hidden': 'true' }, sign),
    element('small', { 'aria-hidden': 'true' }, timeText(at)),
    element('span', { class: 'unseen' }, words),
  );
}

/** @param {{ passedAt: number | null }} cell @param {number} at */
function pass(cell, at) {
  // What passed once has passed, and when it did first is what counts.
  if (cell.passedAt !== null && cell.passedAt <= at) return;
  cell.passedAt = at;
  write(cell, 'passed', '✓', at, t('board.cell-passed', { time: timeText(at) }));
}

/** @param {Verdict} verdict */
function inWords({ verdict, met, missed, not_reached: unreached }) {
  const counts = { met: number(met.length), of: number(met.length + missed.length + unreached.length) };
  const first = missed.length > 0 ? ` · ${short(missed[0])}` : '';
  return `${t(`board.verdict.${verdict}`)} · ${t('board.counts', counts)}${first}`;
}

/** @param {Verdict} it */
function show(it) {
  if (it.at_ms < clearedAt) return;
  const room = roomOf(it.room);
  if (!room || !hasColumn(it.exercise)) {
    note(t('board.full', { rooms: number(MOST_ROOMS), exercises: number(known + MOST_STRANGE_EXERCISES) }), it.at_ms);
    return;
  }
  for (const [exercise, at] of Object.entries(it.passed ?? {})) {
    const cell = room.cells.get(exercise);
    if (cell && Number.isFinite(at) && at >= clearedAt) pass(cell, at);
  }
  const cell = room.cells.get(it.exercise);
  if (it.verdict === 'passed') pass(cell, it.at_ms);
  if (cell.passedAt === null) {
    const sign = it.verdict === 'failed' ? `${it.met.length}/${it.met.length + it.missed.length + it.not_reached.length}` : '?';
    write(cell, it.verdict, sign, it.at_ms, `${inWords(it)} · ${timeText(it.at_ms)}`);
  }
  // Where the room is now.
  for (const other of room.cells.values()) other.place.toggleAttribute('data-here', other === cell);
  note(`${it.room} · ${it.exercise} · ${inWords(it)}`, it.at_ms);
  // A whole day's verdicts may come at once, on loading; they are counted once.
  clearTimeout(summing);
  summing = setTimeout(sum, SUM_MS);
}

function sum() {
  const count = (cells) => number(cells.filter(({ passedAt }) => passedAt !== null).length);
  for (const { passed, cells } of rooms.values()) passed.textContent = count([...cells.values()]);
  for (const [exercise, place] of columns) {
    place.textContent = count([...rooms.values()].map(({ cells }) => cells.get(exercise)));
  }
  find('[data-field="sum"]').textContent = rooms.size > 0 ? t('board.rooms', { count: number(rooms.size) }) : '';
  find('[data-part="none"]').hidden = rooms.size > 0;
}

function note(text, at) {
  const line = element('li', {}, element('time', {}, timeText(at)), ' ', element('span', { class: 'text' }, text));
  prepend(log, line, MOST_LINES);
}

/** Takes everybody off the board; the log keeps what it has, and says from when on it counts. */
function clear(at) {
  clearedAt = Math.max(clearedAt, at);
  rooms.clear();
  list.replaceChildren();
  log.replaceChildren();
  sum();
  note(t('board.cleared'), at);
}

function read(after) {
  const source = new EventSource(`${channel}/sse?after=${after}`);
  const state = find('[data-field="state"]');
  const become = (value) => {
    state.parentElement.dataset.state = String(value);
    state.textContent = t(`state.${value}.name`);
  };
  source.onopen = () => become(1);
  // The browser comes back by itself and says what it had: nothing is lost, nothing comes twice.
  source.onerror = () => become(source.readyState);
  source.addEventListener('verdict', ({ data }) => {
    const verdict = verdictIn(data);
    if (verdict) show(verdict);
    else strange();
  });
  source.addEventListener('clear', ({ data }) => {
    const at = Number(data);
    if (Number.isFinite(at) && at <= serverNow() + 60_000) clear(at);
    else strange();
  });
  source.onmessage = strange;
  source.addEventListener('gap', ({ data }) => {
    const { missed, reason } = JSON.parse(data);
    note(t('log.gap', { missed: missed ?? '?', reason: t(`gap.${reason}`) }), serverNow());
  });
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
}

function strange() {
  ignored += 1;
  find('[data-field="ignored"]').textContent = t('board.ignored', { count: number(ignored) });
}

find('[data-do="clear"]').addEventListener('click', async () => {
  if (!confirm(t('board.clear-sure'))) return;
  try {
    const body = JSON.stringify({ type: 'clear', data: String(Math.round(serverNow())) });
    const answer = await fetch(`${channel}/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    told.textContent = answer.ok ? '' : (await answer.json()).error;
  } catch {
    told.textContent = t('control.unreachable');
  }
});

await synchronise();
// The channel's description says where its log begins; it is made by being asked for.
const { oldest } = await (await fetch(channel, { cache: 'no-store' })).json();
read(oldest);
document.body.dataset.ready = 'true';
