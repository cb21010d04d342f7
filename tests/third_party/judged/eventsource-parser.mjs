// npm's `eventsource-parser` as exercise 18 wants a client. It parses and no more: the bytes come by `fetch`,
// and the last event id is kept here, as its text says that a caller should.

import { createParser } from "eventsource-parser";

let lastId = "";
const parser = createParser({
  onEvent({ id, event, data }) {
    lastId = id ?? lastId;
    console.log(JSON.stringify({ id: lastId, type: event ?? "message", data }));
  },
});

const response = await fetch(process.argv.at(-1), { headers: { Accept: "text/event-stream" } });
const decoder = new TextDecoder();
for await (const chunk of response.body) {
  parser.feed(decoder.decode(chunk, { stream: true }));
}
