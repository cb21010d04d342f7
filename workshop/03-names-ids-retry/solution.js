// A clock that ticks four times a second and rings a bell at every fourth tick.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const readers = new Set();

// One count for the whole server: an id belongs to the event, whoever reads it.
let count = 0;
setInterval(() => {
  count += 1;
  const now = Date.now();
  const name = count % 4 === 0 ? "bell" : "tick";
  for (const reader of readers) {
    reader.write(`event: ${name}\nid: ${count}\ndata: ${now}\n\n`);
  }
}, 250);

const server = http.createServer((request, response) => {
  if (request.url !== "/events") {
    response.writeHead(404).end("there is only /events\n");
    return;
  }
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
  });
  response.write("retry: 2000\n\n");
  readers.add(response);
  response.on("close", () => readers.delete(response));
});

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
