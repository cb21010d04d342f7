// npm's `eventsource` as exercises 18 and 19 want a client: a URL as the last argument, a line of JSON per
// event. Types have to be subscribed to by name, so those that the streams use are listed.

import { EventSource } from "eventsource";

const source = new EventSource(process.argv.at(-1));

for (const type of ["message", "tick", "e", "ghost"]) {
  source.addEventListener(type, (event) => {
    console.log(JSON.stringify({ id: event.lastEventId, type: event.type, data: event.data }));
  });
}

source.addEventListener("error", (error) => {
  console.error(error.message);
  // Closed means that it will not come back: an orderly end after 204, a failure after anything else.
  if (source.readyState === EventSource.CLOSED) process.exitCode = error.code === 204 ? 0 : 1;
});
