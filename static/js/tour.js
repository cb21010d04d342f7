import { element, find } from './lib/dom.js';
import { t } from './lib/i18n.js';

/**
 * A step of a tour. Its words are in the catalogue under `tour.<subject>.<key>.…`.
 *
 * @typedef {object} Step
 * @property {string} key
 * @property {Record<string, string>} [fields]  what a visitor may change, and what stands there at first
 * @property {(fields: Record<string, string>) => string} code  the lesson, as it is run with these fields
 * @property {(fields: Record<string, string>) => string} [path]  the stream that it reads, for `curl`
 * @property {(fields: Record<string, string>, show: (line: string) => void) => Promise<boolean>} run
 *   does it, shows what happens, and says whether that is what was announced; throwing is failing. What is
 *   announced is about the fields as they stand there at first: one that was changed shows what happens
 */

/** Longer than any step takes: a step that hangs has failed. One that was changed may well have nothing more to show. */
const PATIENCE_S = 15;
const CHANGED_PATIENCE_S = 5;

const subject = document.body.dataset.subject;
/** @type {{ steps: Step[], attach?: (place: HTMLElement) => Promise<void> }} */
const { steps, attach } = await import(`./tours/${subject}.js`);

/** Runs a step and marks what came of it where people, screen readers and tests look. */
async function run(step, card) {
  const output = find('[data-list="output"]', card);
  const verdict = find('[data-field="verdict"]', card);
  const button = find('[data-do="run"]', card);
  output.replaceChildren();
  button.disabled = true;
  card.dataset.stepResult = 'running';
  verdict.textContent = t('tour.running');
  const show = (line) => output.append(element('li', {}, line));
  const changed = isChanged(step, card);
  const patience = changed ? CHANGED_PATIENCE_S : PATIENCE_S;
  let passed = false;
  try {
    const tooLong = new Promise((_, fail) => setTimeout(() => fail(new Error(t('tour.too-long', { s: patience }))), patience * 1000));
    passed = await Promise.race([step.run(fields(card), show), tooLong]);
  } catch (error) {
    show(String(error.message ?? error));
  }
  const result = changed ? 'changed' : passed ? 'passed' : 'failed';
  card.dataset.stepResult = result;
  verdict.textContent = t(`tour.result.${result}`);
  button.disabled = false;
}

function isChanged(step, card) {
  return Object.entries(fields(card)).some(([name, value]) => value !== step.fields[name]);
}

function fields(card) {
  return Object.fromEntries([...card.querySelectorAll('[data-input]')].map((input) => [input.dataset.input, input.value]));
}

/** A visitor may write any address, also none. */
const absolute = (path) => (URL.canParse(path, location.href) ? new URL(path, location.href).href : path);

function render(step, index) {
  const words = (part) => t(`tour.${subject}.${step.key}.${part}`);
  const code = element('code');
  const inputs = Object.entries(step.fields ?? {}).map(([name, value]) => {
    const input = element(value.includes('\n') ? 'textarea' : 'input', { 'data-input': name, spellcheck: 'false', autocomplete: 'off' });
    input.value = value;
    return element('label', {}, t(`tour.field.${name}`), input);
  });
  const button = element('button', { type: 'button', 'data-do': 'run' }, t('tour.run'));
  const back = element('button', { type: 'button', 'data-do': 'put-back', hidden: '' }, t('tour.put-back'));
  const curl = element('code', { class: 'curl' });
  const card = element(
    'section',
    { class: 'step', id: step.key, 'data-step': step.key, 'data-step-result': 'waiting', 'aria-labelledby': `${step.key}-title` },
    element('h2', { id: `${step.key}-title` }, `${index + 1}. ${words('title')}`),
    element('p', {}, words('text')),
    ...inputs,
    element('pre', {}, code),
    ...(step.path ? [element('p', { class: 'terminal' }, t('tour.terminal'), ' ', curl)] : []),
    element('p', { class: 'will' }, element('strong', {}, t('tour.will')), ' ', words('will')),
    element('p', {}, button, ' ', back, ' ', element('span', { class: 'verdict', role: 'status', 'data-field': 'verdict' })),
    element('ul', { class: 'output', 'data-list': 'output' }),
  );
  const write = () => {
    code.textContent = step.code(fields(card));
    if (step.path) curl.textContent = `curl -N '${absolute(step.path(fields(card)))}'`;
    back.hidden = !isChanged(step, card);
  };
  card.addEventListener('input', write);
  write();
  back.addEventListener('click', () => {
    for (const input of card.querySelectorAll('[data-input]')) input.value = step.fields[input.dataset.input];
    write();
    button.focus();
  });
  button.addEventListener('click', () => run(step, card));
  return card;
}

const cards = steps.map(render);
find('[data-part="steps"]').append(...cards);
find('[data-do="run-all"]').addEventListener('click', async ({ target }) => {
  target.disabled = true;
  for (const [index, step] of steps.entries()) await run(step, cards[index]);
  const passed = cards.filter((card) => card.dataset.stepResult === 'passed').length;
  find('[data-field="all"]').textContent = t('tour.sum', { passed, steps: cards.length });
  document.body.dataset.tour = passed === cards.length ? 'passed' : 'failed';
  target.disabled = false;
});
if (attach) {
  const more = find('[data-part="more"]');
  await attach(more);
  more.hidden = false;
}
document.body.dataset.ready = 'true';
