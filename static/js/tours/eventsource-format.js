import { hear, using } from './listening.js';
import { quoted, streamOf } from './tools.js';

/** How a step looks whose only part is what the server sends. */
const sent = ({ stream }) => `// the server sends ${quoted(stream)}
const source = new EventSource(url);
source.onopen = () => console.log('open');
source.onmessage = (event) => console.log(event.data);`;

const path = ({ stream }) => streamOf(stream);

/** What the lines of an event stream do, one by one. @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'handlers',
    fields: { stream: 'data: hello\n\ndata: world\n\n' },
    path,
    code: sent,
    async run({ stream }, show) {
      const heard = await hear(stream, show);
      return heard.map(({ data }) => data).join() === 'hello,world';
    },
  },
  {
    key: 'multi-line',
    fields: { stream: 'data: one\ndata: two\n\n' },
    path,
    code: sent,
    async run({ stream }, show) {
      const heard = await hear(stream, show);
      return heard.length === 1 && heard[0].data === 'one\ntwo';
    },
  },
  {
    key: 'comment',
    fields: { stream: ': nobody hears this\n\ndata: but this\n\n' },
    path,
    code: sent,
    async run({ stream }, show) {
      const heard = await hear(stream, show);
      return heard.length === 1 && heard[0].data === 'but this';
    },
  },
  {
    key: 'unfinished',
    fields: { stream: 'data: whole\n\ndata: without a blank line after it\n' },
    path,
    code: sent,
    async run({ stream }, show) {
      const heard = await hear(stream, show);
      return heard.length === 1 && heard[0].data === 'whole';
    },
  },
  {
    key: 'custom-event',
    fields: { stream: 'event: myEvent\ndata: for the listener\n\ndata: for onmessage\n\n', type: 'myEvent' },
    path,
    code: ({ stream, type }) => `// the server sends ${quoted(stream)}
source.addEventListener(${quoted(type)}, (event) => console.log(event.data));
source.onmessage = (event) => console.log(event.data);`,
    async run({ stream, type }, show) {
      const heard = await hear(stream, show, [type]);
      return heard.map(({ type, data }) => `${type} ${data}`).join() === 'myEvent for the listener,message for onmessage';
    },
  },
  {
    key: 'last-event-id',
    fields: { id: '42' },
    path: ({ id }) => `/tour/last-event-id?${new URLSearchParams({ id })}`,
    code: ({ id }) => `// the server sends "id: ${id}" and ends the stream; the browser comes back with\n// Last-Event-ID: ${id}\nsource.onmessage = (event) => console.log(event.lastEventId, event.data);`,
    run({ id }, show) {
      return using(`/tour/last-event-id?${new URLSearchParams({ id })}`, {}, async (_, next) => {
        const first = await next('message');
        show(`lastEventId ${quoted(first.lastEventId)}, data ${first.data}`);
        const second = await next('message', 2);
        show(`lastEventId ${quoted(second.lastEventId)}, data ${second.data}`);
        return JSON.parse(first.data).last_event_id === null && JSON.parse(second.data).last_event_id === id;
      });
    },
  },
  {
    key: 'retry',
    fields: { retry: '600' },
    path: ({ retry }) => `/tour/retry?ms=${retry}`,
    code: ({ retry }) => `// the server sends "retry: ${retry}", and ends the stream\nsource.onerror = () => (lost = performance.now());\nsource.onopen = () => console.log(performance.now() - lost);`,
    run: ({ retry }, show) =>
      using(`/tour/retry?ms=${encodeURIComponent(retry)}`, {}, async (source, next) => {
        const lost = (await next('error')).timeStamp;
        if (source.readyState === EventSource.CLOSED) {
          show(`onerror, readyState ${source.readyState}`);
          return false;
        }
        const back = (await next('open', 2)).timeStamp;
        show(`onerror → onopen: ${Math.round(back - lost)} ms`);
        return back - lost >= Number(retry) * 0.9;
      }),
  },
];
