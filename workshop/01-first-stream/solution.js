// The time of day, once a second, to whoever opens /dates.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  if (request.url !== "/dates") {
    response.writeHead(404).end("there is only /dates\n");
    return;
  }
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
  });
  response.flushHeaders();
  const timer = setInterval(() => {
    response.write("data: " + Date.now() + "\n\n");
  }, 1000);
  response.on("close", () => clearInterval(timer));
});

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
