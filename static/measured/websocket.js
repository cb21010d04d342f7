/** @typedef {import('./reader.js').Observer} Observer */

/**
 * The browser's own `WebSocket`. Closed is closed; it keeps no place in the stream, answers the server's pings
 * without a word, and has no way to send one.
 * @param {string} url
 * @param {string | null} after  where to start; the present for `null`
 * @param {Observer} observer
 * @returns {() => void} ends it
 */
export function open(url, after, observer) {
  const address = new URL(url);
  if (after !== null) address.searchParams.set('after', after);
  const socket = new WebSocket(address);
  socket.onopen = () => observer.open();
  socket.onmessage = ({ data: text }) => {
    const message = JSON.parse(text);
    if (message.gap) observer.gap(message.gap);
    else if (message.id) observer.event(message.id, message.type, message.data);
    else if (message.cursor) observer.cursor(message.cursor);
  };
  // 1006 is the browser's word for an end without a close frame, whatever its cause.
  socket.onclose = ({ code, reason }) => observer.closed(`code ${code}${reason && `, ${reason}`}`, false);
  return () => socket.close();
}
