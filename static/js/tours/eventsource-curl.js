import { hear } from './listening.js';
import { streamOf } from './tools.js';

/** The headers of an event stream that matter, as the tutorials name them. */
const HEADERS = ['content-type', 'cache-control'];

/** The same stream twice: head and lines as `curl -i` prints them, and the events that a browser makes of them. */
export const curl = {
  path: ({ stream }) => streamOf(stream),
  code: ({ stream }) => `curl -iN '${location.origin}${streamOf(stream)}'`,
  async run({ stream }, show) {
    const response = await fetch(streamOf(stream), { headers: { accept: 'text/event-stream' } });
    show(`curl │ HTTP/1.1 ${response.status}`);
    for (const name of HEADERS) show(`curl │ ${name}: ${response.headers.get(name)}`);
    show('curl │');
    const raw = await response.text();
    for (const line of raw.split('\n')) show(`curl │ ${line}`);
    const heard = await hear(stream, (line) => show(`EventSource │ ${line}`));
    const isStream = response.headers.get('content-type') === 'text/event-stream';
    return isStream && raw === stream && heard.map(({ type, lastEventId }) => `${type} ${lastEventId}`).join() === 'greeting 7,message 7';
  },
};
