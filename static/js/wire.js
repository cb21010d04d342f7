import { element, find, prepend } from './lib/dom.js';
import { t, number } from './lib/i18n.js';

/** Pieces that the view keeps. */
const MOST = 200;

/** The layers, in the order in which they wrap an event. */
const LAYERS = ['head', 'chunk', 'sse', 'ws-header', 'ws-payload', 'payload'];

/**
 * The bytes of this page's own connections, as the server sees them pass. Off until it is asked for; then
 * the readers mark their requests with the session, so that the server shows them and no others.
 * @param {import('./panel.js').Panel[]} panels
 */
export function wireView(panels) {
  const part = find('[data-part="wire"]');
  const button = find('[data-do="wire"]', part);
  const told = find('[data-field="wire-told"]', part);
  let stream = null;

  const restart = (query) => {
    for (const panel of panels) {
      panel.stop();
      panel.options.query = query;
      panel.start();
    }
  };
  const off = () => {
    stream?.close();
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
    const sums = Object.fromEntries(LAYERS.map((layer) => [layer, 0]));
    stream = new EventSource(`/wire/${session}`);
    find('[data-list="wire"]', part).hidden = false;
    stream.addEventListener('bytes', ({ data }) => {
      const piece = JSON.parse(data);
      sums[piece.layer] = (sums[piece.layer] ?? 0) + piece.hex.replaceAll(' ', '').length / 2;
      showPiece(find('[data-list="wire"]', part), piece);
      find('[data-field="wire-sums"]', part).textContent = Object.entries(sums)
        .filter(([, count]) => count)
        .map(([layer, count]) => `${t(`layer.${layer}`)} ${number(count)}`)
        .join(' · ');
    });
    stream.addEventListener('totals', ({ data }) => {
      told.textContent = data;
    });
    stream.onopen = () => restart(`&wire=${session}`);
    button.setAttribute('aria-pressed', 'true');
    button.textContent = t('wire.hide');
  };
  button.addEventListener('click', () => (stream ? off() : on()));
}

function showPiece(list, { direction, layer, text, hex }) {
  const item = element(
    'li',
    { 'data-layer': layer, 'data-direction': direction },
    element('span', { class: 'tag' }, `${direction === 'in' ? '→' : '←'} ${t(`layer.${layer}`)}`),
    ' ',
    element('code', { class: 'text' }, text || hex),
  );
  if (text) item.append(element('details', {}, element('summary', {}, t('wire.hex')), element('code', {}, hex)));
  prepend(list, item, MOST);
}
