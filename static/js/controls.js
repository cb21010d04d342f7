import { find, channel } from './lib/dom.js';
import { t } from './lib/i18n.js';
import { bindNetwork } from './network.js';

/** @typedef {import('./panel.js').Panel} Panel */

/** Asks the server for something and tells, in the line below the controls, what came of it. */
async function ask(method, path, body, done) {
  const told = find('[data-field="told"]');
  try {
    const response = await fetch(`${channel}${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    told.textContent = response.ok ? done(answer) : answer.error;
    return response.ok ? answer : null;
  } catch {
    told.textContent = t('control.unreachable');
    return null;
  }
}

/** @param {{ rate: number, payload_bytes: number, pattern: string }} spec @param {Panel[]} panels */
export async function startSource(spec, panels) {
  const started = await ask('PUT', '/source', spec, (now) => t('control.source-runs', { rate: now.rate, bytes: now.payload_bytes }));
  // An event every few seconds is no reason to call the silence between two of them strange.
  for (const panel of panels) panel.expecting = Boolean(started) && spec.rate >= 1 && spec.pattern !== 'poisson';
  return started;
}

/** @param {Panel[]} panels */
export async function stopSource(panels) {
  await ask('DELETE', '/source', undefined, () => t('control.source-stopped'));
  for (const panel of panels) panel.expecting = false;
}

/** Cuts readers of the room. @param {string} how @param {string} transport a slug, or nothing for all */
export async function cut(how, transport, panels) {
  // The connection that the order comes by is spared. A short poll's lies idle between two questions, and the
  // browser would send the order over it; while the order waits, the polls go over another.
  const polls = panels.filter((panel) => panel.slug === 'short-poll' && (!transport || transport === panel.slug));
  const delay = Math.max(0, ...polls.map((panel) => panel.options.interval + 300));
  const cutOff = panels.filter((panel) => !transport || panel.slug === transport);
  // No connection is cut before that, and what is noticed may be noticed before the order is answered.
  const at = performance.now() + delay;
  for (const panel of cutOff) panel.recovery.cut(t(`cut.${how}`), at);
  const order = { how, delay_ms: delay, ...(transport ? { transport } : {}) };
  const done = await ask('POST', '/disconnect', order, ({ cut: count }) => {
    const text = t('control.cut', { how: t(`cut.${how}`), count });
    for (const panel of cutOff) panel.log(text);
    return text;
  });
  if (!done) for (const panel of cutOff) panel.recovery.none();
  return done;
}

/** Connects the forms of the page. @param {Panel[]} panels */
export function bind(panels) {
  const source = find('form[data-form="source"]');
  const spec = () => ({
    rate: Number(source.elements.rate.value),
    payload_bytes: Number(source.elements.payload.value),
    pattern: source.elements.pattern.value,
  });
  source.addEventListener('submit', (event) => {
    event.preventDefault();
    startSource(spec(), panels);
  });
  find('[data-do="stop-source"]').addEventListener('click', () => stopSource(panels));

  const interval = document.querySelector('[name="interval"]');
  const setInterval = () => {
    if (interval.checkValidity()) for (const panel of panels) panel.options.interval = Number(interval.value);
  };
  interval?.addEventListener('input', setInterval);
  if (interval) setInterval();

  bindNetwork(panels);

  const publish = find('form[data-form="publish"]');
  publish.addEventListener('submit', (event) => {
    event.preventDefault();
    const type = publish.elements.type.value || 'message';
    for (const panel of panels) panel.reader.listen(type);
    ask('POST', '/events', { type, data: publish.elements.data.value }, ({ id }) => t('control.published', { id }));
  });

  const cutting = find('form[data-form="cut"]');
  for (const button of cutting.querySelectorAll('[data-cut]')) {
    button.addEventListener('click', () => cut(button.dataset.cut, cutting.elements.transport.value, panels));
  }
}
