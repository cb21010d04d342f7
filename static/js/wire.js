import { element, find, prepend } from './lib/dom.js';
import { t, number } from './lib/i18n.js';

/** Pieces that the view keeps. */
const MOST = 200;

/** The layers, in the order in which they wrap an event. */
const LAYERS = ['head', 'chunk', 'sse', 'ws-header', 'ws-payload', 'payload'];

const OPCODES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

/**
 * The bytes of this page's own connections, as the server sees them pass. Off until it is asked for; then
 * the readers mark their requests with the session, so that the server shows them and no others.
 * @param {import('./panel.js').Panel[]} panels
 */
export function wireView(panels) {
  const part = find('[data-part="wire"]');
  const button = find('[data-do="wire"]', part);
  const told = find('[data-field="wire-told"]', part);
  const list = find('[data-list="wire"]', part);
  let stream = null;

  const restart = (query) => {
    for (const panel of panels) {
      panel.stop();
      panel.options.query = query;
      panel.start();
    }
  };
  const off = () => {
    stream.close();
    stream = null;
    button.setAttribute('aria-pressed', 'false');
    button.textContent = t('wire.show');
    restart('');
  };
  const on = async () => {
    const response = await fetch('/wire/session', { method: 'POST' });
    if (!response.ok) {
      told.textContent = t('wire.refused', { status: response.status });
      return;
    }
    const { session } = await response.json();
    const counts = new Counts(find('[data-part="wire-counts"]', part));
    list.replaceChildren();
    list.hidden = false;
    told.textContent = '';
    stream = new EventSource(`/wire/${session}`);
    stream.addEventListener('bytes', ({ data }) => prepend(list, piece(JSON.parse(data)), MOST));
    stream.addEventListener('skipped', ({ data }) => {
      told.textContent = t('wire.skipped', JSON.parse(data));
    });
    stream.addEventListener('totals', ({ data }) => counts.set(JSON.parse(data)));
    stream.addEventListener('open', () => restart(`&wire=${session}`), { once: true });
    button.setAttribute('aria-pressed', 'true');
    button.textContent = t('wire.hide');
  };
  button.addEventListener('click', () => (stream ? off() : on()));
  addEventListener('pagehide', () => stream?.close());
}

/** The server's own counts, by layer and direction; it sends those that have changed. */
class Counts {
  #connections = new Map();

  constructor(place) {
    this.cells = new Map();
    const row = (name, ...cells) => element('tr', {}, element('th', { scope: 'row' }, name), ...cells);
    const rows = [...LAYERS, 'sum'].map((layer) => {
      const cells = ['in', 'out'].map((direction) => {
        const cell = element('td', { 'data-count': `${layer}-${direction}` }, '0');
        this.cells.set(`${layer}-${direction}`, cell);
        return cell;
      });
      return row(t(`layer.${layer}`), ...cells);
    });
    const head = ['layer', 'in', 'out'].map((name) => element('th', { scope: 'col' }, t(`wire.${name}`)));
    place.replaceChildren(element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)));
  }

  set({ connections, apart, earlier }) {
    for (const total of connections) this.#connections.set(total.connection, total);
    // A connection that is gone and no longer told apart is in `earlier` from then on.
    const kept = new Set(apart);
    for (const connection of this.#connections.keys()) if (!kept.has(connection)) this.#connections.delete(connection);
    for (const direction of ['in', 'out']) {
      let sum = 0;
      for (const layer of LAYERS) {
        let count = earlier[direction][layer];
        for (const total of this.#connections.values()) count += total[direction][layer];
        this.cells.get(`${layer}-${direction}`).textContent = number(count);
        sum += count;
      }
      this.cells.get(`sum-${direction}`).textContent = number(sum);
    }
  }
}

/** One piece of one layer, as text; the bytes themselves are behind it. */
function piece({ connection, direction, layer, hex, text, fields }) {
  const arrow = direction === 'in' ? '→' : '←';
  const item = element(
    'li',
    { 'data-layer': layer, 'data-direction': direction },
    element('span', { class: 'tag' }, `${arrow} ${connection} ${t(`layer.${layer}`)}`),
    ' ',
    element('code', { class: 'text' }, fields ? bits(fields) : visible(text)),
  );
  const bytes = hex.replace(/(..)(?=.)/g, '$1 ');
  item.append(element('details', {}, element('summary', {}, t('wire.hex', { count: hex.length / 2 })), element('code', {}, bytes)));
  return item;
}

/** A frame's header, field by field (RFC 6455, 5.2). */
function bits({ fin, rsv, opcode, masked, length, mask }) {
  const words = [`FIN ${Number(fin)}`, `RSV ${rsv.toString(2).padStart(3, '0')}`, `opcode ${opcode} ${OPCODES[opcode] ?? ''}`];
  words.push(`MASK ${Number(masked)}`, `length ${length}`);
  if (mask) words.push(`mask ${mask}`);
  return words.join(' · ');
}

/** Line ends, which are half of what the protocols are about, made visible. */
function visible(text) {
  return text.replaceAll('\r', '\\r').replaceAll('\n', '\\n\n').trimEnd();
}
