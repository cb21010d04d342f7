import { quoted, scripted } from './tools.js';

export const fields = { stream: ': comment\nretry: 500\nid: 7\nevent: greeting\ndata: hello\n\ndata: world\n\n' };

/**
 * The same stream twice: its lines as `curl` prints them, and the events that a browser makes of them.
 */
export async function curl({ stream }, show) {
  const url = scripted({ text: stream });
  const raw = await (await fetch(url, { headers: { accept: 'text/event-stream' } })).text();
  for (const line of raw.split('\n')) show(`curl │ ${line}`);
  const types = new Set(['message', ...[...stream.matchAll(/^event: ?(.*)$/gm)].map(([, type]) => type)]);
  const events = await new Promise((pass) => {
    const heard = [];
    const source = new EventSource(url);
    for (const type of types) source.addEventListener(type, ({ data, lastEventId }) => heard.push({ type, data, lastEventId }));
    source.onerror = () => {
      source.close();
      pass(heard);
    };
  });
  for (const { type, data, lastEventId } of events) show(`EventSource │ ${type} ${quoted(data)} id ${quoted(lastEventId)}`);
  return raw === stream && events.length > 0;
}
