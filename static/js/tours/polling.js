import { channel, present, publish, quoted, sleep, word } from './tools.js';

const ask = async (path) => (await fetch(`${channel}/${path}`, { cache: 'no-store' })).json();

/** @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'short',
    code: () => `const answer = await (await fetch(url)).json();\nsetTimeout(ask, interval);`,
    async run(_, show) {
      const cursor = await present();
      const empty = await ask(`short-poll?after=${cursor}`);
      show(quoted(empty));
      const note = word('news');
      await publish(note);
      const full = await ask(`short-poll?after=${cursor}`);
      show(quoted(full));
      return full.events.some(({ data }) => data === note);
    },
  },
  {
    key: 'long',
    fields: { pause: '700' },
    code: ({ pause }) => `await fetch(url + '?after=' + cursor + '&wait=10');  // something comes after ${pause} ms`,
    async run({ pause }, show) {
      const note = word('news');
      let cursor = await present();
      const started = performance.now();
      const published = sleep(Number(pause)).then(() => publish(note));
      for (;;) {
        const answer = await ask(`long-poll?after=${cursor}&wait=10`);
        cursor = answer.cursor;
        if (!answer.events.some(({ data }) => data === note)) continue;
        await published;
        const took = performance.now() - started;
        show(`${Math.round(took)} ms`);
        return took >= Number(pause) * 0.9;
      }
    },
  },
  {
    key: 'cursor',
    code: () => `// events that came between two questions are in the next answer`,
    async run(_, show) {
      const cursor = await present();
      const notes = [word('a'), word('b'), word('c')];
      const ids = [];
      for (const note of notes) ids.push(await publish(note));
      const { events } = await ask(`short-poll?after=${cursor}`);
      const mine = events.filter(({ data }) => notes.includes(data));
      show(mine.map(({ id }) => id).join(', '));
      return mine.map(({ id }) => id).join() === ids.join();
    },
  },
];
