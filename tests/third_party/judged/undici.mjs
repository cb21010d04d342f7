// npm's `undici` as exercises 18 and 19 want a client: its EventSource is the one that Node has built in.
// Types have to be subscribed to by name, so those that the streams use are listed.

import { EventSource } from "undici";

const source = new EventSource(process.argv.at(-1));

for (const type of ["message", "tick", "e", "ghost"]) {
  source.addEventListener(type, (event) => {
    console.log(JSON.stringify({ id: event.lastEventId, type: event.type, data: event.data }));
  });
}

// Its own timer does not keep a program alive while it waits to come back.
const alive = setInterval(() => {}, 1000);

source.addEventListener("error", () => {
  if (source.readyState !== EventSource.CLOSED) return;
  // It will not come back. Why, it does not say: 204 and 500 look alike.
  clearInterval(alive);
  process.exitCode = 1;
});
