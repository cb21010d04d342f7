import { find } from './lib/dom.js';
import { t, number } from './lib/i18n.js';

/** @typedef {import('./panel.js').Panel} Panel */

/** How often a page says that it still needs its door; the server shuts one that nobody needs. */
const AGAIN_MS = 30_000;

let renewal = 0;

const ask = (name) => fetch(`/networks/${name}`, { method: 'PUT' });

/**
 * Puts the readers of this page behind a named network, or, as `direct`, right before the server. Behind a
 * network they read from another port, where a relay passes their bytes on as slowly as that network would.
 * @param {string} name
 * @param {Panel[]} panels
 * @returns {Promise<boolean>} whether they are there now
 */
export async function travel(name, panels) {
  const told = find('[data-field="network"]');
  const select = find('[name="network"]');
  let origin = '';
  let words = t('network.told-direct');
  if (name !== 'direct') {
    try {
      const response = await ask(name);
      const door = await response.json();
      if (!response.ok) throw new Error(door.error);
      origin = `http://${location.hostname}:${door.port}`;
      words = t('network.told', { there: described(door.to_server), back: described(door.to_client) });
    } catch (error) {
      told.textContent = error.name === 'TypeError' ? t('control.unreachable') : error.message;
      select.value = select.dataset.now;
      return false;
    }
  }
  clearInterval(renewal);
  if (origin) renewal = setInterval(() => ask(name).catch(() => {}), AGAIN_MS);
  told.textContent = words;
  select.value = name;
  select.dataset.now = name;
  for (const panel of panels) panel.via(origin);
  return true;
}

/** What a network does to one direction, in words. */
function described({ delay_ms: delay, jitter_ms: jitter, rate_bits_s: rate }) {
  const words = [t('network.delay', { ms: number(delay, delay % 1 ? 2 : 0) })];
  if (jitter) words.push(t('network.jitter', { ms: number(jitter, 0) }));
  if (rate) words.push(t('network.rate', { mbit: number(rate / 1e6, 0) }));
  return words.join(', ');
}

/** Connects the control of the page. @param {Panel[]} panels */
export function bindNetwork(panels) {
  const select = find('[name="network"]');
  select.dataset.now = select.value;
  select.addEventListener('change', () => travel(select.value, panels));
}
