// Server-Sent Events by the package better-sse, as its guide to channels has it: a session per reader, a channel for all.

import http from "node:http";

import { createChannel, createSession } from "better-sse";

const channel = createChannel();

const server = http.createServer(async (request, response) => {
  if (request.method === "POST" && request.url === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    channel.broadcast(data);
    response.writeHead(204).end();
  } else if (request.url === "/events") {
    channel.register(await createSession(request, response));
  } else {
    response.writeHead(404).end();
  }
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", 4096);
