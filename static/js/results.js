import { element, find } from './lib/dom.js';
import { t } from './lib/i18n.js';

/** The channel that a run's progress is published on. */
const PROGRESS = '/channels/experiment-progress';

const told = find('[data-field="told"]');
const list = find('[data-list="runs"]');
const bar = find('progress');

/** The runs there are, newest first. */
async function refresh() {
  const response = await fetch('/results/runs', { cache: 'no-store' });
  if (!response.ok) {
    told.textContent = t('results.none');
    return;
  }
  const answer = await response.json();
  const runs = Array.isArray(answer) ? answer : answer.runs;
  list.replaceChildren(
    ...runs.map(({ stamp, profile, planned, finished, report }) => {
      const name = report ? element('a', { href: report }, stamp) : stamp;
      const about = [profile, ...Object.keys(planned ?? {})].filter(Boolean).join(', ');
      const unfinished = finished ? '' : ` · ${t('results.unfinished')}`;
      return element('li', {}, name, ` ${about}${unfinished}`);
    }),
  );
  if (!runs.length) told.textContent = t('results.none');
}

/** Asks for a run, or for its end, and says what the server answered. */
async function order(method, body) {
  const headers = body ? { 'content-type': 'application/json' } : {};
  const response = await fetch('/results/run', { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  const done = method === 'POST' ? t('results.started') : t('results.cancelled');
  told.textContent = response.ok ? done : answer.error;
  return response.ok;
}

/** Numbers of the newest progress, kept beside the program's own lines. */
let counted = '';

/** Progress comes by the transport that the visitor chose, as any other event does. */
let reader = null;
async function follow(slug) {
  reader?.close();
  const { Reader } = await import(`./transports/${slug}.js`);
  const quiet = () => {};
  const observer = { gap: quiet, cursor: quiet, state: quiet, request: quiet, bytes: quiet, trouble: quiet };
  reader = new Reader(PROGRESS, { ...observer, event: progress }, { interval: 500, query: '' });
  for (const type of ['started', 'progress', 'done', 'failed']) reader.listen(type);
  const { cursor } = await (await fetch(PROGRESS)).json();
  reader.open(cursor);
}

/** What a step says; nothing where it is not one of the server's, since anybody may publish here. */
function parsed(data) {
  try {
    const { done, total, message } = JSON.parse(data);
    const counts = Number.isSafeInteger(done) && Number.isSafeInteger(total);
    return { ...(counts ? { done, total } : {}), message };
  } catch {
    return {};
  }
}

/** `progress` tells how far it is, `message` what the program wrote, `done` and `failed` how it ended. */
function progress({ type, data }) {
  if (type === 'message') {
    told.textContent = `${counted} ${data}`;
    return;
  }
  const step = parsed(data);
  if (type === 'progress' && step.total > 0) {
    bar.max = step.total;
    bar.value = Math.min(step.done, step.total);
    counted = `${step.done} / ${step.total}`;
    told.textContent = counted;
  } else if (type === 'done' || type === 'failed') {
    told.textContent = step.message ?? data;
    reader.close();
    refresh();
  }
}

const form = find('form[data-form="run"]');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  bar.removeAttribute('value');
  await follow(form.elements.transport.value);
  counted = '';
  if (!(await order('POST', { experiment: form.elements.experiment.value }))) reader.close();
});
find('[data-do="cancel"]').addEventListener('click', () => order('DELETE'));
addEventListener('pagehide', () => reader?.close());
await refresh();
document.body.dataset.ready = 'true';
