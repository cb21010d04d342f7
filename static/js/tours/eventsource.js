import { remembering } from './eventsource-storage.js';
import { curl, fields as curlFields } from './eventsource-curl.js';
import { channel, publish, quoted, scripted, sleep, word } from './tools.js';

/** An EventSource that is closed when its step is over, and whose events can be waited for one by one. */
async function using(url, options, body) {
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
    return await body(source, next, note);
  } finally {
    source.close();
  }
}

/** Whether an EventSource opens or fails for good. */
function outcome(url, options) {
  return using(url, options, async (source, next) => {
    const first = await Promise.race([next('open'), next('error')]);
    return { opened: first.type === 'open', readyState: source.readyState };
  });
}

/** The loopback's other name: the same server, but for a browser another origin. */
function otherOrigin() {
  const other = { localhost: '127.0.0.1', '127.0.0.1': 'localhost' }[location.hostname];
  if (!other) throw new Error('localhost ≠ ' + location.hostname);
  return `http://${other}:${location.port || 80}`;
}

const listening = ({ stream }) => `// the server sends ${quoted(stream)}
const source = new EventSource(url);
source.onmessage = (event) => console.log(event.data);`;

/** @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'feature',
    code: () => `if ('EventSource' in window) { … } else { /* poll */ }`,
    async run(_, show) {
      show(`'EventSource' in window → ${'EventSource' in window}`);
      return 'EventSource' in window;
    },
  },
  {
    key: 'constructor',
    fields: { url: `${channel}/sse` },
    code: ({ url }) => `const source = new EventSource(${quoted(url)});\nsource.url; source.readyState;`,
    run: ({ url }, show) =>
      using(url, {}, async (source, next) => {
        show(`url → ${source.url}`);
        show(`readyState → ${source.readyState}`);
        const absolute = source.url === new URL(url, location.href).href && source.readyState === 0;
        await next('open');
        show('open');
        return absolute;
      }),
  },
  {
    key: 'ready-state',
    code: () => `new EventSource(url)   // 0 CONNECTING\nsource.onopen          // 1 OPEN\nsource.close()         // 2 CLOSED`,
    run: (_, show) =>
      using(`${channel}/sse`, {}, async (source, next) => {
        const states = [source.readyState];
        await next('open');
        states.push(source.readyState);
        source.close();
        states.push(source.readyState);
        show(`readyState: ${states.join(' → ')}`);
        return states.join() === '0,1,2';
      }),
  },
  {
    key: 'handlers',
    fields: { stream: 'data: hello\n\ndata: world\n\n' },
    code: listening,
    run: ({ stream }, show) =>
      using(scripted({ text: stream, stay: true }), {}, async (source, next) => {
        source.onmessage = ({ data }) => show(`onmessage: ${quoted(data)}`);
        await next('open');
        show('onopen');
        await next('message');
        await sleep(100);
        return source.readyState === EventSource.OPEN;
      }),
  },
  {
    key: 'custom-event',
    fields: { type: 'myEvent' },
    code: ({ type }) => `source.addEventListener(${quoted(type)}, (event) => console.log(event.data));\nsource.onmessage = …  // not called`,
    run({ type }, show) {
      const text = `event: ${type}\ndata: for the listener\n\ndata: for onmessage\n\n`;
      return using(scripted({ text, stay: true }), {}, async (source, next) => {
        const heard = new Promise((done) => source.addEventListener(type, ({ data }) => done(data), { once: true }));
        show(`addEventListener(${quoted(type)}): ${quoted(await heard)}`);
        const { data } = await next('message');
        show(`onmessage: ${quoted(data)}`);
        return (await heard) === 'for the listener' && data === 'for onmessage';
      });
    },
  },
  {
    key: 'error',
    code: () => `source.onerror = () => console.log(source.readyState);  // 0: it will be back`,
    run: (_, show) =>
      using(scripted({ text: 'retry: 100\ndata: and that is all\n\n' }), {}, async (source, next) => {
        await next('error');
        const state = source.readyState;
        show(`onerror, readyState ${state}`);
        await next('open', 2);
        show('onopen');
        return state === EventSource.CONNECTING;
      }),
  },
  {
    key: 'close',
    code: () => `source.close();\n// the events after it are not for us any more`,
    async run(_, show) {
      const [before, after] = [word('before'), word('after')];
      return using(`${channel}/sse`, {}, async (source, next) => {
        const heard = [];
        source.onmessage = ({ data }) => heard.push(data);
        await next('open');
        await publish(before);
        while (!heard.includes(before)) await sleep(20);
        show(`onmessage: ${before}`);
        source.close();
        source.close();
        await publish(after);
        await sleep(400);
        show(`close(): readyState ${source.readyState}`);
        return source.readyState === EventSource.CLOSED && !heard.includes(after);
      });
    },
  },
  {
    key: 'retry',
    fields: { retry: '600' },
    code: ({ retry }) => `// the server sends "retry: ${retry}", and ends the stream`,
    run: ({ retry }, show) =>
      using(scripted({ text: `retry: ${retry}\ndata: x\n\n` }), {}, async (_, next) => {
        const lost = (await next('error')).timeStamp;
        const back = (await next('open', 2)).timeStamp;
        show(`${Math.round(back - lost)} ms`);
        return back - lost >= Number(retry) * 0.9;
      }),
  },
  {
    key: 'last-event-id',
    fields: { id: '42' },
    code: ({ id }) => `// the server sends "id: ${id}" and ends the stream; the browser comes back with\n// Last-Event-ID: ${id}`,
    run({ id }, show) {
      const script = { text: `retry: 100\nid: ${id}\ndata: first\n\n`, 'again-text': 'data: Last-Event-ID was {last-event-id}\n\n' };
      return using(scripted(script), {}, async (_, next) => {
        show(`lastEventId: ${quoted((await next('message')).lastEventId)}`);
        const { data } = await next('message', 2);
        show(data);
        return data === `Last-Event-ID was ${id}`;
      });
    },
  },
  {
    key: 'comment',
    fields: { stream: ': nobody hears this\n\ndata: but this\n\n' },
    code: listening,
    run: ({ stream }, show) =>
      using(scripted({ text: stream, stay: true }), {}, async (source, next) => {
        let count = 0;
        source.addEventListener('message', () => count++);
        const { data } = await next('message');
        await sleep(100);
        show(`onmessage × ${count}: ${quoted(data)}`);
        return count === 1 && !data.includes('nobody');
      }),
  },
  {
    key: 'multi-line',
    fields: { stream: 'data: one\ndata: two\n\n' },
    code: listening,
    run: ({ stream }, show) =>
      using(scripted({ text: stream, stay: true }), {}, async (_, next) => {
        const { data } = await next('message');
        show(quoted(data));
        const lines = stream.split('\n\n')[0].split('\n').map((line) => line.replace(/^data: ?/, ''));
        return data === lines.join('\n');
      }),
  },
  {
    key: 'no-content',
    code: () => `// 200, then, at the reconnect, 204 No Content`,
    run: (_, show) =>
      using(scripted({ text: 'retry: 100\nid: 1\ndata: x\n\n', 'again-status': '204' }), {}, async (source, next) => {
        await next('error');
        show(`onerror: readyState ${source.readyState}`);
        await next('error', 2);
        show(`204: readyState ${source.readyState}`);
        return source.readyState === EventSource.CLOSED;
      }),
  },
  {
    key: 'content-type',
    code: () => `// Content-Type: text/plain`,
    async run(_, show) {
      const { opened, readyState } = await outcome(scripted({ text: 'data: x\n\n', type: 'plain', stay: true }));
      show(`onerror: readyState ${readyState}`);
      return !opened && readyState === EventSource.CLOSED;
    },
  },
  {
    key: 'credentials',
    code: () => `new EventSource(other)                              // 1. no CORS header\nnew EventSource(other)                              // 2. Access-Control-Allow-Origin: *\nnew EventSource(other, { withCredentials: true })   // 3. the same\nnew EventSource(other, { withCredentials: true })   // 4. our origin, Allow-Credentials: true`,
    async run(_, show) {
      const other = otherOrigin();
      const cases = [
        ['none', false, false],
        ['any', false, true],
        ['any', true, false],
        ['ours', true, true],
      ];
      let right = true;
      for (const [cors, withCredentials, opens] of cases) {
        const { opened, readyState } = await outcome(scripted({ text: 'data: x\n\n', stay: true, cors }, other), { withCredentials });
        show(`cors ${cors}, withCredentials ${withCredentials} → readyState ${readyState}`);
        right &&= opened === opens;
      }
      return right;
    },
  },
  {
    key: 'storage',
    code: () => `const last = await newestId(database);\nconst source = new EventSource(last ? \`\${url}?after=\${last}\` : url);\nsource.onmessage = (event) => store(database, event);`,
    run: (_, show) => remembering(show),
  },
  { key: 'curl', fields: curlFields, code: ({ stream }) => `curl -N '${location.origin}${scripted({ text: stream })}'`, run: curl },
];
