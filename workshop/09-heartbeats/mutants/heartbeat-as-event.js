// A feed that shows that it lives, and lets go of readers who do not show it.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const HEARTBEAT = 1000; // milliseconds
const SILENCE = 3000;

const readers = new Map(); // by number: the open answer, and when it was last heard of
let count = 0;

const server = http.createServer(async (request, response) => {
  const asked = `${request.method} ${request.url}`;
  if (asked === "GET /events") {
    count += 1;
    const number = String(count);
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
    });
    response.write(`event: hello\ndata: ${number}\n\n`);
    readers.set(number, { response, heard: Date.now() });
    response.on("close", () => readers.delete(number));
  } else if (asked === "POST /alive") {
    const reader = readers.get(await text(request));
    if (reader) {
      reader.heard = Date.now();
      response.writeHead(204).end();
    } else {
      response.writeHead(404).end("no such reader: open the stream again\n");
    }
  } else if (asked === "POST /publish") {
    const data = await text(request);
    for (const { response } of readers.values()) {
      response.write(`data: ${data}\n\n`);
    }
    answer(response, 201, { id: Date.now() });
  } else if (asked === "GET /readers") {
    answer(response, 200, { readers: readers.size });
  } else {
    response.writeHead(404).end("there are only /events, /alive, /publish and /readers\n");
  }
});

setInterval(() => {
  for (const { response, heard } of readers.values()) {
    if (Date.now() - heard > SILENCE) {
      response.destroy(); // its close takes it off the list
    } else {
      response.write("data: still here\n\n");
    }
  }
}, HEARTBEAT);

async function text(request) {
  let text = "";
  request.setEncoding("utf8");
  for await (const piece of request) {
    text += piece;
  }
  return text;
}

function answer(response, status, json) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(json));
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
