// A room: what one reader says, all of them get as an event.

import { WebSocket, WebSocketServer } from "ws";

const port = Number(process.env.PORT ?? 3000);
const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/ws" });

let count = 0;

server.on("connection", (socket) => {
  socket.on("message", (data) => {
    count += 1;
    const event = JSON.stringify({ id: count, data: String(data) });
    for (const reader of server.clients) {
      if (reader.readyState === WebSocket.OPEN) {
        reader.send(event);
      }
    }
  });
  // Without this, one broken frame would end the program.
  socket.on("error", (error) => console.error(error.message));
});

server.on("listening", () => console.log(`listening on http://127.0.0.1:${port}`));
