import { element, prepend } from '../lib/dom.js';
import { t, number } from '../lib/i18n.js';
import { Store } from './store.js';
import { channel, present, publish, word } from './tools.js';

/** Whether the feed is kept, which a reload must not forget. */
const SWITCH = `pushlab-feed:${channel}`;

/** Events that are shown, and characters of the raw text. */
const MOST_SHOWN = 100;
const MOST_TEXT = 6_000;

const sequence = (id) => Number(id.split('-')[1]);

/**
 * A feed that goes on where the page before it stopped, for real: reload the page, and see. Beside it the
 * same stream as curl prints it.
 * @param {HTMLElement} place
 */
export async function attach(place) {
  const store = await Store.open();
  const told = element('p', { role: 'status', 'data-field': 'feed' });
  const events = element('ol', { class: 'events', 'data-list': 'feed', tabindex: '0', 'aria-label': t('feed.events') });
  const raw = element('pre', { class: 'raw', tabindex: '0', 'aria-label': t('feed.raw') });
  const command = element('code');
  const button = (what, work) => {
    const made = element('button', { type: 'button', 'data-do': what }, t(`feed.${what}`));
    made.addEventListener('click', work);
    return made;
  };
  let end = null;

  const on = async () => {
    localStorage.setItem(SWITCH, 'on');
    const kept = await store.all();
    // Without an id the feed begins at the present, which it has to know to tell what it missed.
    const head = await present();
    const after = kept.at(-1)?.id ?? head;
    const counts = { kept: kept.length, away: 0, since: 0 };
    const tell = () => (told.textContent = t('feed.told', { kept: number(counts.kept), id: after, away: number(counts.away), since: number(counts.since) }));
    const line = ({ id, data }) => prepend(events, element('li', { 'data-id': id }, element('code', { class: 'id' }, id.split('-').pop()), ' ', element('span', { class: 'data' }, data.slice(0, 100))), MOST_SHOWN);
    events.replaceChildren();
    kept.slice(-MOST_SHOWN).forEach(line);
    const url = `${channel}/sse?after=${after}`;
    command.textContent = `curl -N '${location.origin}${url}'`;
    const source = new EventSource(url);
    source.onmessage = ({ data, lastEventId }) => {
      store.add(lastEventId, data);
      line({ id: lastEventId, data });
      if (lastEventId.split('-')[0] === head.split('-')[0] && sequence(lastEventId) <= sequence(head)) counts.away += 1;
      else counts.since += 1;
      tell();
    };
    source.addEventListener('gap', ({ data }) => prepend(events, element('li', { class: 'gap' }, `gap ${data}`), MOST_SHOWN));
    const stop = new AbortController();
    print(url, raw, stop.signal);
    end = () => {
      source.close();
      stop.abort();
      end = null;
    };
    tell();
  };
  const keep = button('keep', async () => {
    if (end) {
      localStorage.removeItem(SWITCH);
      end();
    } else await on();
    look();
  });
  const look = () => {
    keep.setAttribute('aria-pressed', String(end !== null));
    keep.textContent = end ? t('feed.stop') : t('feed.keep');
  };
  const forget = async () => {
    await store.clear();
    events.replaceChildren();
    raw.replaceChildren();
    told.textContent = t('feed.forgotten');
    if (end) {
      end();
      await on();
    }
  };
  place.append(
    element('h2', { id: 'feed-title' }, t('feed.title')),
    element('p', {}, t('feed.text')),
    element('p', { class: 'buttons' }, keep, button('publish', () => publish(word('note'))), button('reload', () => location.reload()), button('forget', forget)),
    told,
    element('div', { class: 'beside' }, element('div', {}, element('h3', {}, 'EventSource'), events), element('div', {}, element('h3', {}, command), raw)),
  );
  command.textContent = 'curl';
  addEventListener('pagehide', () => end?.());
  if (localStorage.getItem(SWITCH)) await on();
  look();
}

/** Writes a stream's text down as it comes, as curl does. */
async function print(url, place, signal) {
  place.textContent = '';
  try {
    const response = await fetch(url, { cache: 'no-store', signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      place.textContent = (place.textContent + value).slice(-MOST_TEXT);
      place.scrollTop = place.scrollHeight;
    }
  } catch {
    // Stopped, or lost: unlike an EventSource, fetch does not come back.
  }
}
