import { channel } from '../lib/dom.js';

/** Events that the store keeps, of all rooms together, and after how many new ones it looks. */
const KEPT = 500;
const LOOK_EVERY = 50;

/** A promise of what an IndexedDB request brings. */
const done = (request) =>
  new Promise((pass, fail) => {
    request.onsuccess = () => pass(request.result);
    request.onerror = () => fail(request.error);
  });

/** What came in this room, kept in the browser with its ids. */
export class Store {
  #database;
  #added = 0;

  constructor(database) {
    this.#database = database;
  }

  static async open() {
    const request = indexedDB.open('pushlab', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('events', { autoIncrement: true });
    return new Store(await done(request));
  }

  close() {
    this.#database.close();
  }

  /** All that is kept of this room, oldest first. @returns {Promise<{ id: string, data: string }[]>} */
  async all() {
    return (await done(this.#events('readonly').getAll())).filter((event) => event.channel === channel);
  }

  /** Keeps one more. @param {string} id @param {string} data */
  async add(id, data) {
    await done(this.#events('readwrite').add({ channel, id, data }));
    // The oldest make room, so that the store does not grow with every visit.
    if (this.#added++ % LOOK_EVERY) return;
    const keys = await done(this.#events('readonly').getAllKeys());
    if (keys.length > KEPT) await done(this.#events('readwrite').delete(IDBKeyRange.upperBound(keys[keys.length - KEPT - 1])));
  }

  /** Forgets everything. */
  async clear() {
    await done(this.#events('readwrite').clear());
  }

  #events(mode) {
    return this.#database.transaction('events', mode).objectStore('events');
  }
}
