import { board } from './board.js';
import { startSource, stopSource, cut } from './controls.js';
import { travel } from './network.js';
import { delayText } from './lib/clock.js';
import { find } from './lib/dom.js';
import { t, number } from './lib/i18n.js';

/**
 * Lessons: a source, an interval, a network, and what to ask a class before pressing start. `cuts` are what
 * the ride does to the connections, one after the other, every `every` milliseconds.
 */
const PRESETS = {
  ticker: { rate: 10, payload: 120, pattern: 'steady', interval: 1000 },
  chat: { rate: 0.5, payload: 200, pattern: 'poisson', interval: 2000 },
  alert: { rate: 0.05, payload: 100, pattern: 'steady', interval: 5000 },
  train: { rate: 2, payload: 120, pattern: 'steady', interval: 1000, network: 'mobile', cuts: ['reset', 'close'], every: 8000 },
};

const panels = await board();
const form = find('form[data-form="preset"]');
let preset = null;
let ride = 0;

function choose(slug) {
  preset = PRESETS[slug];
  find('[data-field="question"]').textContent = t(`preset.${slug}.question`);
  find('[data-field="answer"]').textContent = t(`preset.${slug}.answer`);
  find('[data-part="answer"]').open = false;
  const source = find('form[data-form="source"]').elements;
  source.rate.value = preset.rate;
  source.payload.value = preset.payload;
  source.pattern.value = preset.pattern;
  const interval = find('[name="interval"]');
  interval.value = preset.interval;
  interval.dispatchEvent(new Event('input'));
}

async function end() {
  clearInterval(ride);
  await stopSource(panels);
}

for (const choice of form.elements.preset) choice.addEventListener('change', () => choose(choice.value));
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  await end();
  // Where the server stands behind no networks, the lesson is held without one.
  if (!find('[name="network"]').disabled) await travel(preset.network ?? 'direct', panels);
  await startSource({ rate: preset.rate, payload_bytes: preset.payload, pattern: preset.pattern }, panels);
  if (!preset.cuts) return;
  const { cuts, every } = preset;
  let count = 0;
  ride = setInterval(() => cut(cuts[count++ % cuts.length], '', panels), every);
});
find('[data-do="stop-preset"]').addEventListener('click', end);
choose(form.elements.preset.value);

/** The same figures side by side, where a screen reader can walk them as a table. */
setInterval(() => {
  for (const { slug, meter } of panels) {
    const row = find(`tr[data-row="${slug}"]`);
    const cell = (name, text) => (find(`[data-cell="${name}"]`, row).textContent = text);
    const { events, requests, bytes } = meter.totals;
    cell('events', number(events));
    cell('requests', number(requests));
    cell('requests-each', events ? number(requests / events, 2) : '–');
    cell('bytes', number(bytes));
    cell('delay', meter.delays.length ? delayText(meter.median) : '–');
  }
}, 1000);
