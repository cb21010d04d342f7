// Serves a page and a stream for it to read: node workshop/05-browser-page/feed.js [PAGE]
// The stream is cut after every third event, to see the page come back, and has an end.

import fs from "node:fs";
import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const page = process.argv[2] ?? new URL("starter.html", import.meta.url);
const hostile = `<img src=x onerror="document.title = 'a stranger ran this'">`;
const events = [
  { data: "one" },
  { type: "alarm", data: "two" },
  { data: hostile },
  { data: "four" },
  { type: "alarm", data: "five" },
  { data: "six" },
  { type: "end", data: "that was all" },
];

const server = http.createServer((request, response) => {
  if (request.url === "/") {
    // Read each time, so that a reload shows what was saved.
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(fs.readFileSync(page));
    return;
  }
  if (request.url !== "/events") {
    response.writeHead(404).end();
    return;
  }
  let last = Number(request.headers["last-event-id"] ?? 0);
  console.log(`a page reads the stream, after event ${last}`);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write("retry: 2000\n\n");
  const timer = setInterval(() => {
    const event = events[last];
    if (event === undefined) return;
    last += 1;
    response.write(`id: ${last}\nevent: ${event.type ?? "message"}\ndata: ${event.data}\n\n`);
    if (last % 3 === 0) response.end();
  }, 1000);
  response.on("close", () => clearInterval(timer));
});

server.listen(port, "127.0.0.1", () => console.log(`open http://127.0.0.1:${port}`));
