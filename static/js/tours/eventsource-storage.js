import { channel, present, publish, word } from './tools.js';

/** Events that the store keeps for a room. */
const KEPT = 100;

/** A promise of what an IndexedDB request brings. */
const done = (request) =>
  new Promise((pass, fail) => {
    request.onsuccess = () => pass(request.result);
    request.onerror = () => fail(request.error);
  });

async function open() {
  const request = indexedDB.open('pushlab', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('events', { autoIncrement: true });
  return done(request);
}

const store = (database, mode) => database.transaction('events', mode).objectStore('events');

/** All that is stored for this room, oldest first. */
async function stored(database) {
  return (await done(store(database, 'readonly').getAll())).filter((event) => event.channel === channel);
}

/** Reads from a cursor until so many events of ours are stored, each as it comes. */
function read(database, after, mine, count) {
  return new Promise((pass, fail) => {
    const source = new EventSource(`${channel}/sse?after=${after}`);
    const end = (how, what) => {
      source.close();
      how(what);
    };
    let heard = 0;
    source.onmessage = async ({ data, lastEventId }) => {
      if (!data.startsWith(mine)) return;
      await done(store(database, 'readwrite').add({ channel, id: lastEventId, data }));
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
  let database = await open();
  const before = await stored(database);
  show(`IndexedDB: ${before.length}${before.length ? `, ${before.at(-1).id}` : ''}`);
  const start = await present();
  for (const number of [1, 2, 3]) await publish(`${mine} ${number}`);
  await read(database, start, mine, 3);
  database.close();

  for (const number of [4, 5]) await publish(`${mine} ${number}`);
  database = await open();
  const last = (await stored(database)).at(-1).id;
  show(`EventSource(…?after=${last})`);
  await read(database, last, mine, 2);

  const found = (await stored(database)).filter(({ data }) => data.startsWith(mine)).map(({ data }) => data);
  show(found.map((data) => data.split(' ').pop()).join(', '));
  // Old notes make room, so that the store does not grow with every visit.
  const keys = await done(store(database, 'readonly').getAllKeys());
  for (const key of keys.slice(0, Math.max(0, keys.length - KEPT))) await done(store(database, 'readwrite').delete(key));
  database.close();
  return found.join() === [1, 2, 3, 4, 5].map((number) => `${mine} ${number}`).join();
}
