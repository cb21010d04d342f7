import { t } from '../lib/i18n.js';
import { outcome, using } from './listening.js';

/** How a connection ends, and when the browser comes back; and who may read it at all. @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'error',
    path: () => '/tour/retry?ms=100',
    code: () => `source.onerror = () => console.log(source.readyState);  // 0: it will be back`,
    run: (_, show) =>
      using('/tour/retry?ms=100', {}, async (source, next) => {
        await next('error');
        const state = source.readyState;
        show(`onerror, readyState ${state}`);
        await next('open', 2);
        show('onopen');
        return state === EventSource.CONNECTING;
      }),
  },
  {
    key: 'no-content',
    fields: { visits: '2' },
    path: ({ visits }) => `/tour/retry?ms=100&visits=${visits}`,
    code: ({ visits }) => `// visits 1 to ${visits}: 200, an event, the end of the stream; the next one: 204 No Content\nsource.onerror = () => console.log(source.readyState);`,
    run: ({ visits }, show) =>
      using(`/tour/retry?ms=100&visits=${encodeURIComponent(visits)}`, {}, async (source, next) => {
        for (let count = 1; ; count++) {
          await next('error', count);
          show(`onerror, readyState ${source.readyState}`);
          if (source.readyState === EventSource.CLOSED) return count === Number(visits) + 1;
        }
      }),
  },
  {
    key: 'status',
    fields: { status: '500' },
    path: ({ status }) => `/tour/status/${status}`,
    code: ({ status }) => `// ${status}\nsource.onerror = () => console.log(source.readyState);  // 2: it will not be back`,
    async run({ status }, show) {
      const { opened, readyState } = await outcome(`/tour/status/${encodeURIComponent(status)}`);
      show(`onerror, readyState ${readyState}`);
      return !opened && readyState === EventSource.CLOSED;
    },
  },
  {
    key: 'content-type',
    path: () => '/tour/wrong-type',
    code: () => `// Content-Type: text/plain\nsource.onerror = () => console.log(source.readyState);  // 2`,
    async run(_, show) {
      const { opened, readyState } = await outcome('/tour/wrong-type');
      show(`onerror, readyState ${readyState}`);
      return !opened && readyState === EventSource.CLOSED;
    },
  },
  {
    key: 'credentials',
    fields: { cookie: 'biscuit' },
    code: ({ cookie }) => `document.cookie = 'pushlab-tour=${encodeURIComponent(cookie)}';
new EventSource(other + '/tour/cors/closed');                                   // 1
new EventSource(other + '/tour/cors/open');                                     // 2
new EventSource(other + '/tour/cors/open', { withCredentials: true });          // 3
new EventSource(other + '/tour/cors/credentials', { withCredentials: true });   // 4`,
    async run({ cookie }, show) {
      const { second } = await (await fetch('/origins')).json();
      if (!second) throw new Error(t('tour.no-second'));
      show(`other = ${second}`);
      document.cookie = `pushlab-tour=${encodeURIComponent(cookie)}; Path=/; Max-Age=60; SameSite=Strict`;
      const cases = [
        ['closed', false, null],
        ['open', false, { cookie: null }],
        ['open', true, null],
        ['credentials', true, { cookie: encodeURIComponent(cookie) }],
      ];
      let right = true;
      for (const [index, [way, withCredentials, expected]] of cases.entries()) {
        const { opened, readyState, data, ...source } = await outcome(`${second}/tour/cors/${way}`, { withCredentials });
        show(`${index + 1}. ${way}, withCredentials ${source.withCredentials} → readyState ${readyState}${opened ? `, ${data}` : ''}`);
        const seen = opened ? JSON.parse(data) : null;
        right &&= source.withCredentials === withCredentials && opened === (expected !== null);
        if (expected) right &&= seen.cookie === expected.cookie && seen.origin === location.origin;
      }
      return right;
    },
  },
];
