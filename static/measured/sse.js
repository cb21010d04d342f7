/** @typedef {import('./reader.js').Observer} Observer */

/**
 * Server-Sent Events by the browser's own `EventSource`. It keeps the last id that it saw, and when its
 * connection is gone it waits for the server's `retry:` time and asks again, with that id as `Last-Event-ID`.
 * @param {string} url
 * @param {string | null} after  where to start; the browser's own retry goes on from where it stood
 * @param {Observer} observer
 * @returns {() => void} ends it
 */
export function open(url, after, observer) {
  const address = new URL(url);
  if (after !== null) address.searchParams.set('after', after);
  const source = new EventSource(address);
  source.onopen = () => observer.open();
  source.onmessage = ({ lastEventId, type, data }) => observer.event(lastEventId, type, data);
  source.addEventListener('gap', ({ data }) => observer.gap(JSON.parse(data)));
  // The event says nothing about the cause: a page must not learn what is in a network that it can't see.
  source.onerror = () => {
    const comesBack = source.readyState === EventSource.CONNECTING;
    observer.closed(comesBack ? 'EventSource does not say why' : 'EventSource gave up, and does not say why', comesBack);
  };
  return () => source.close();
}
