import { element, find, prepend } from './lib/dom.js';
import { t, number } from './lib/i18n.js';

/** The channel that a run's progress is published on. */
const PROGRESS = '/channels/experiment-progress';

/** Lines of the program that are kept. */
const MOST_LINES = 200;

const form = find('form[data-form="run"]');
const told = find('[data-field="told"]');
const report = find('[data-field="report"]');
const lines = find('[data-list="lines"]');
const list = find('[data-list="runs"]');
const bar = find('progress');
const start = find('button', form);
const cancel = find('[data-do="cancel"]');

/** The runs there are, newest first. */
async function refresh() {
  const runs = await (await fetch('/results/runs', { cache: 'no-store' })).json();
  list.replaceChildren(
    ...runs.map(({ stamp, profile, planned, finished, report }) => {
      const name = report ? element('a', { href: report }, stamp) : stamp;
      const about = [profile, ...Object.keys(planned)].join(', ');
      const unfinished = finished ? '' : ` · ${t('results.unfinished')}`;
      return element('li', {}, name, ` ${about}${unfinished}`);
    }),
  );
  find('[data-field="none"]').hidden = runs.length > 0;
  return runs;
}

/** Asks for something and tells what came of it. */
async function order(method, body) {
  try {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const response = await fetch('/results/run', { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    if (!response.ok) told.textContent = answer.error;
    return response.ok ? answer : null;
  } catch {
    told.textContent = t('control.unreachable');
    return null;
  }
}

/** Progress comes by the transport that the visitor chose, as any other event does. */
let reader = null;
async function follow(after) {
  const slug = form.elements.transport.value;
  const { Reader } = await import(`./transports/${slug}.js`);
  const from = reader?.cursor || after;
  reader?.close();
  const quiet = () => {};
  const observer = { gap: quiet, cursor: quiet, state: quiet, request: quiet, bytes: quiet, trouble: quiet };
  reader = new Reader(PROGRESS, { ...observer, event: progress }, { interval: 500, query: '' });
  for (const type of ['started', 'progress', 'done', 'failed']) reader.listen(type);
  reader.open(from);
}

/** A run goes on: one at a time, so there is nothing to start and something to cancel. */
function busy(is) {
  start.disabled = is;
  cancel.disabled = !is;
  document.body.dataset.run = is ? 'on' : 'off';
}

function begin({ experiment, after }) {
  busy(true);
  bar.removeAttribute('value');
  report.hidden = true;
  lines.replaceChildren();
  lines.hidden = false;
  told.textContent = t('results.started', { experiment });
  return follow(after);
}

const HOWS = ['finished', 'failed', 'cancelled'];

/** What a step says; nothing where it is not one of the server's, since anybody may publish here. */
function parsed(data) {
  try {
    const { done, total, experiment, stamp, how } = JSON.parse(data);
    const counts = Number.isSafeInteger(done) && Number.isSafeInteger(total);
    return { ...(counts ? { done, total } : {}), experiment, stamp, how: HOWS.includes(how) ? how : 'failed' };
  } catch {
    return { how: 'failed' };
  }
}

/** `progress` tells how far it is, `message` what the program wrote, `done` and `failed` how it ended. */
function progress({ type, data }) {
  if (type === 'message') {
    prepend(lines, element('li', {}, data), MOST_LINES);
    return;
  }
  const step = parsed(data);
  if (type === 'progress' && step.total > 0) {
    bar.max = step.total;
    bar.value = Math.min(step.done, step.total);
    told.textContent = t('results.so-far', { done: number(step.done), total: number(step.total) });
  } else if (type === 'done' || type === 'failed') {
    end(step);
  }
}

async function end({ experiment, stamp, how }) {
  // Anybody may say that it has ended, and say so twice.
  reader?.close();
  reader = null;
  busy(false);
  // A bar without a value would go on for ever.
  if (!bar.hasAttribute('value')) bar.value = 0;
  told.textContent = t(`results.how.${how}`, { experiment });
  const run = (await refresh()).find((run) => run.stamp === stamp);
  if (!run?.report) return;
  report.href = run.report;
  report.hidden = false;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { experiment, transport } = form.elements;
  const answer = await order('POST', { experiment: experiment.value, transport: transport.value });
  if (answer) await begin(answer.running);
});
form.elements.transport.addEventListener('change', () => reader && follow());
cancel.addEventListener('click', async () => {
  // Its end may be told before the order is answered, and is the last word.
  if ((await order('DELETE')) && reader) told.textContent = t('results.cancelled');
});
addEventListener('pagehide', () => reader?.close());

await refresh();
// Somebody else's run, or ours from before a reload.
const { running } = await (await fetch('/results/run', { cache: 'no-store' })).json();
if (running) {
  form.elements.experiment.value = running.experiment;
  await begin(running);
}
document.body.dataset.ready = 'true';
