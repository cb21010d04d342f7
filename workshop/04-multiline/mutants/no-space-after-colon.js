// A stream of texts: whoever likes publishes one, and all readers get it.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
let count = 0;
const readers = new Set();

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  if (request.method === "POST" && url.pathname === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    count += 1;
    for (const reader of readers) {
      reader.write(event(data));
    }
    answer(response, 201, { id: count });
  } else if (request.method === "GET" && url.pathname === "/events") {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
    });
    response.flushHeaders();
    readers.add(response);
    response.on("close", () => readers.delete(response));
  } else {
    answer(response, 404, { error: "there are only /publish and /events" });
  }
});

// One event of the stream.
function event(data) {
  const lines = data.split(/\r\n|\n|\r/);
  return lines.map((line) => `data:${line}\n`).join("") + "\n";
}

function answer(response, status, json) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(json));
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
