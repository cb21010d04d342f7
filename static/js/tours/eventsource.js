import { steps as format } from './eventsource-format.js';
import { steps as ends } from './eventsource-ends.js';
import { remembering } from './eventsource-storage.js';
import { curl } from './eventsource-curl.js';
import { using } from './listening.js';
import { channel, publish, quoted, sleep, word } from './tools.js';

export { attach } from './feed.js';

const example = ': comment\nretry: 500\nid: 7\nevent: greeting\ndata: hello\n\ndata: world\n\n';

/** @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'feature',
    code: () => `if (!!window.EventSource) {\n  const source = new EventSource(url);\n} else {\n  // ask on a timer instead\n}`,
    async run(_, show) {
      show(`!!window.EventSource → ${!!window.EventSource}`);
      return !!window.EventSource;
    },
  },
  {
    key: 'constructor',
    fields: { url: `${channel}/sse` },
    path: ({ url }) => url,
    code: ({ url }) => `const source = new EventSource(${quoted(url)});\nsource.url; source.readyState; source.withCredentials;`,
    run: ({ url }, show) =>
      using(url, {}, async (source, next) => {
        show(`url → ${source.url}`);
        show(`readyState → ${source.readyState}`);
        show(`withCredentials → ${source.withCredentials}`);
        const isFresh = source.url === new URL(url, location.href).href && source.readyState === 0 && !source.withCredentials;
        const { type } = await Promise.race([next('open'), next('error')]);
        show(`on${type}, readyState → ${source.readyState}`);
        return isFresh && type === 'open';
      }),
  },
  {
    key: 'ready-state',
    fields: { url: '/dates' },
    path: ({ url }) => url,
    code: ({ url }) => `const source = new EventSource(${quoted(url)});  // 0 CONNECTING\nsource.onopen = …                             // 1 OPEN\nsource.close();                               // 2 CLOSED`,
    run: ({ url }, show) =>
      using(url, {}, async (source, next) => {
        const states = [source.readyState];
        await Promise.race([next('open'), next('error')]);
        states.push(source.readyState);
        source.close();
        states.push(source.readyState);
        show(`readyState: ${states.join(' → ')}`);
        return states.join() === '0,1,2';
      }),
  },
  ...format,
  {
    key: 'close',
    code: () => `source.close();\nsource.close();  // does nothing\n// the events after it are not for us any more`,
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
  ...ends,
  {
    key: 'storage',
    code: () => `const last = await newestId(database);\nconst source = new EventSource(last ? \`\${url}?after=\${last}\` : url);\nsource.onmessage = (event) => store(database, event);`,
    run: (_, show) => remembering(show),
  },
  { ...curl, key: 'curl', fields: { stream: example } },
];
