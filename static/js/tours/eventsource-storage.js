import { Store } from './store.js';
import { channel, present, publish, word } from './tools.js';

/** Reads from a cursor until so many events of ours are stored, each as it comes. */
function read(store, after, mine, count) {
  return new Promise((pass, fail) => {
    const source = new EventSource(`${channel}/sse?after=${after}`);
    const end = (how, what) => {
      source.close();
      how(what);
    };
    let heard = 0;
    source.onmessage = async ({ data, lastEventId }) => {
      if (!data.startsWith(mine)) return;
      await store.add(lastEventId, data);
      heard += 1;
      if (heard === count) end(pass, heard);
    };
    source.onerror = () => source.readyState === EventSource.CLOSED && end(fail, new Error('onerror'));
  });
}

/**
 * A feed that outlives its page: what came is stored with its id, and whoever opens the page again goes on
 * after the newest one. In between, here, everything is closed as a reload would.
 */
export async function remembering(show) {
  const mine = word('note');
  let store = await Store.open();
  const before = await store.all();
  show(`IndexedDB: ${before.length}${before.length ? `, ${before.at(-1).id}` : ''}`);
  const start = await present();
  for (const number of [1, 2, 3]) await publish(`${mine} ${number}`);
  await read(store, start, mine, 3);
  store.close();

  for (const number of [4, 5]) await publish(`${mine} ${number}`);
  store = await Store.open();
  const last = (await store.all()).findLast(({ data }) => data.startsWith(mine)).id;
  show(`EventSource(…?after=${last})`);
  await read(store, last, mine, 2);

  const found = (await store.all()).filter(({ data }) => data.startsWith(mine)).map(({ data }) => data);
  show(found.map((data) => data.split(' ').pop()).join(', '));
  store.close();
  return found.join() === [1, 2, 3, 4, 5].map((number) => `${mine} ${number}`).join();
}
