// npm's `ws` as exercise 8 wants a server: what one says, all hear.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT), path: "/ws" });

server.on("connection", (socket) => {
  socket.on("error", (error) => console.error(error.message));
  socket.on("message", (data, isBinary) => {
    for (const reader of server.clients) reader.send(data, { binary: isBinary });
  });
});
