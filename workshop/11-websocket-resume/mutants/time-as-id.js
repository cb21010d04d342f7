// A room that remembers: what one reader says, all of them get as an event, and who was away gets it later.

import { WebSocket, WebSocketServer } from "ws";

const port = Number(process.env.PORT ?? 3000);
const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/ws" });

const events = [];

server.on("connection", (socket, request) => {
  const after = new URL(request.url, "http://127.0.0.1").searchParams.get("after");
  // This runs to its end before anything else does: no event comes between the old ones and the new.
  for (const event of after === null ? [] : events.filter((it) => it.id > Number(after))) {
    socket.send(JSON.stringify(event));
  }
  socket.on("message", (data) => {
    const event = { id: Date.now(), data: String(data) };
    events.push(event);
    for (const reader of server.clients) {
      if (reader.readyState === WebSocket.OPEN) {
        reader.send(JSON.stringify(event));
      }
    }
  });
  // Without this, one broken frame would end the program.
  socket.on("error", (error) => console.error(error.message));
});

server.on("listening", () => console.log(`listening on http://127.0.0.1:${port}`));
