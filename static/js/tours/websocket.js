import { channel, present, publish, quoted, sleep, word } from './tools.js';

const base = location.origin.replace(/^http/, 'ws');

/** A WebSocket that is closed when its step is over. */
async function using(path, body) {
  const socket = new WebSocket(base + path);
  socket.binaryType = 'arraybuffer';
  const seen = [];
  for (const type of ['open', 'message', 'close']) socket.addEventListener(type, (event) => seen.push(event));
  const next = async (type, count = 1) => {
    const found = () => seen.filter((event) => event.type === type);
    while (found().length < count) await sleep(10);
    return found()[count - 1];
  };
  try {
    return await body(socket, next);
  } finally {
    socket.close();
  }
}

/** @type {import('../tour.js').Step[]} */
export const steps = [
  {
    key: 'open',
    code: () => `const socket = new WebSocket(${quoted(`${base}/echo`)});\nsocket.readyState;`,
    run: (_, show) =>
      using('/echo', async (socket, next) => {
        const states = [socket.readyState];
        await next('open');
        states.push(socket.readyState);
        socket.close();
        states.push(socket.readyState);
        await next('close');
        states.push(socket.readyState);
        show(`readyState: ${states.join(' → ')}`);
        return states.join() === '0,1,2,3';
      }),
  },
  {
    key: 'both-ways',
    fields: { message: 'hello' },
    code: ({ message }) => `socket.send(${quoted(message)});\nsocket.onmessage = (event) => console.log(event.data);`,
    run: ({ message }, show) =>
      using('/echo', async (socket, next) => {
        await next('open');
        socket.send(message);
        const text = (await next('message')).data;
        show(`onmessage: ${quoted(text)}`);
        socket.send(new Uint8Array([0, 255]));
        const binary = new Uint8Array((await next('message', 2)).data);
        show(`onmessage: ArrayBuffer ${binary}`);
        return text === message && binary.join() === '0,255';
      }),
  },
  {
    key: 'no-reconnect',
    code: () => `socket.onclose = ({ code }) => { /* open another one yourself, from the last id */ };`,
    run: (_, show) =>
      using(`${channel}/websocket`, async (socket, next) => {
        const { data } = await next('message');
        const { cursor } = JSON.parse(data);
        socket.close();
        await next('close');
        const note = word('missed');
        await publish(note);
        await sleep(500);
        show(`readyState ${socket.readyState}`);
        const stays = socket.readyState === WebSocket.CLOSED;
        return using(`${channel}/websocket?after=${cursor}`, async (_, again) => {
          for (let count = 1; ; count++) {
            const message = JSON.parse((await again('message', count)).data);
            if (message.data !== note) continue;
            show(`?after=${cursor} → ${quoted(note)}`);
            return stays;
          }
        });
      }),
  },
  {
    key: 'publish',
    code: () => `socket.send(JSON.stringify({ publish: { data: 'hello' } }));`,
    run: (_, show) =>
      using(`${channel}/websocket?after=`, async (socket, next) => {
        await next('open');
        const before = await present();
        socket.send(JSON.stringify({ publish: { data: 'hello' } }));
        for (let count = 1; ; count++) {
          const message = JSON.parse((await next('message', count)).data);
          if (!message.published) continue;
          show(`${before} → ${message.published.id}`);
          return true;
        }
      }),
  },
];
