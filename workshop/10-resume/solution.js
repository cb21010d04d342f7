// A feed of notices. A reader who was cut off says which one came last, and misses none.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const events = []; // an event's id is its place here, counted from one
const readers = new Set();

const server = http.createServer(async (request, response) => {
  if (request.method === "POST" && request.url === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    const event = { id: events.length + 1, data };
    events.push(event);
    for (const reader of readers) {
      send(reader, event);
    }
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ id: event.id }));
  } else if (request.method === "GET" && request.url === "/events") {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
    });
    response.flushHeaders();
    // Whoever comes without an id, or with one that never was, begins at the present.
    const last = Number(request.headers["last-event-id"] ?? events.length);
    const isKnown = Number.isInteger(last) && last >= 0 && last <= events.length;
    // From the first old event to the last line here nothing else runs: no event falls between.
    for (const event of events.slice(isKnown ? last : events.length)) {
      send(response, event);
    }
    readers.add(response);
    response.on("close", () => readers.delete(response));
  } else {
    response.writeHead(404).end("there are only /publish and /events\n");
  }
});

function send(reader, { id, data }) {
  reader.write(`id: ${id}\ndata: ${data}\n\n`);
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
