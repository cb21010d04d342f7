// Server-Sent Events as tutorials write them: every open response in a set, and a write to each for each event.

import http from "node:http";

const readers = new Set();

const server = http.createServer(async (request, response) => {
  if (request.method === "POST" && request.url === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    for (const reader of readers) {
      reader.write(`data: ${data}\n\n`);
    }
    response.writeHead(204).end();
  } else if (request.url === "/events") {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
      Connection: "keep-alive",
    });
    response.flushHeaders();
    readers.add(response);
    request.on("close", () => readers.delete(response));
  } else {
    response.writeHead(404).end();
  }
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", 4096);
