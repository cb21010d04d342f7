import { quoted, streamOf } from './tools.js';

/**
 * An EventSource that is closed when its step is over, and whose events can be waited for one by one.
 * @param {string} url
 * @param {EventSourceInit} options
 * @param {(source: EventSource, next: (type: string, count?: number) => Promise<Event>) => any} body
 */
export async function using(url, options, body) {
  const source = new EventSource(url, options);
  const seen = [];
  const waiting = [];
  const note = (event) => {
    seen.push(event);
    waiting.splice(0).forEach((wake) => wake());
  };
  for (const type of ['open', 'message', 'error']) source.addEventListener(type, note);
  const next = async (type, count = 1) => {
    const found = () => seen.filter((event) => event.type === type);
    while (found().length < count) await new Promise((wake) => waiting.push(wake));
    return found()[count - 1];
  };
  try {
    return await body(source, next);
  } finally {
    source.close();
  }
}

/** Whether an EventSource opens or fails for good, and what it is handed first if it opens. */
export function outcome(url, options) {
  return using(url, options, async (source, next) => {
    const first = await Promise.race([next('open'), next('error')]);
    const opened = first.type === 'open';
    const data = opened ? (await next('message')).data : null;
    return { opened, readyState: source.readyState, withCredentials: source.withCredentials, data };
  });
}

/**
 * Reads a stream of the visitor's own text to its end, and shows what each handler is called with.
 * @param {string} stream
 * @param {(line: string) => void} show
 * @param {Iterable<string>} [types] for which types there are listeners; else for all that the text names
 * @returns {Promise<{ type: string, data: string, lastEventId: string }[]>}
 */
export function hear(stream, show, types = named(stream)) {
  return using(streamOf(stream), {}, async (source, next) => {
    const heard = [];
    const call = (handler) => ({ type, data, lastEventId }) => {
      heard.push({ type, data, lastEventId });
      show(`${handler}: ${quoted(data)}${lastEventId ? `, lastEventId ${quoted(lastEventId)}` : ''}`);
    };
    source.onopen = () => show('onopen');
    source.onmessage = call('onmessage');
    for (const type of new Set(types)) if (type !== 'message') source.addEventListener(type, call(`addEventListener(${quoted(type)})`));
    // The server ends the stream after its text, so by now all that is ever heard was heard.
    await next('error');
    return heard;
  });
}

/** The types that a stream's text names. */
const named = (stream) => [...stream.matchAll(/^event: ?(.+)$/gm)].map(([, type]) => type);
