// WebSocket by the package ws, as its README's broadcast has it. Compression is off, as is its default.

import http from "node:http";

import { WebSocket, WebSocketServer } from "ws";

const server = http.createServer(async (request, response) => {
  if (request.method !== "POST" || request.url !== "/publish") {
    response.writeHead(404).end();
    return;
  }
  let data = "";
  request.setEncoding("utf8");
  for await (const piece of request) {
    data += piece;
  }
  for (const client of sockets.clients) {
    if (client.readyState === WebSocket.OPEN) {
      client.send(data);
    }
  }
  response.writeHead(204).end();
});

const sockets = new WebSocketServer({ server, path: "/ws" });

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", 4096);
