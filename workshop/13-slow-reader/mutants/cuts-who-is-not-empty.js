// Whatever is published goes to every reader at once, and nobody waits for a reader who does not read.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const readers = new Set();
let count = 0;

const server = http.createServer(async (request, response) => {
  if (request.method === "POST" && request.url === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    count += 1;
    send(`id: ${count}\ndata: ${data}\n\n`);
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ id: count }));
  } else if (request.method === "GET" && request.url === "/events") {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    response.flushHeaders();
    readers.add(response);
    response.on("close", () => readers.delete(response));
  } else {
    response.writeHead(404).end("there are only /publish and /events\n");
  }
});

function send(block) {
  for (const reader of readers) {
    // Who does not take it all at once is cut off, and can come back for what was missed.
    if (!reader.write(block)) {
      readers.delete(reader);
      reader.destroy();
    }
  }
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
