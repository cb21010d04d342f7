// A room that remembers: what one reader says, all of them get as an event, and who was away gets it later.

import { WebSocket, WebSocketServer } from "ws";

const port = Number(process.env.PORT ?? 3000);
const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/ws" });

// An event's id is its place, counted from one.
const events = [];

server.on("connection", (socket, request) => {
  const after = new URL(request.url, "http://127.0.0.1").searchParams.get("after");
  // This runs to its end before anything else does: no event comes between the old ones and the new.
  for (const event of events.slice(after === null ? events.length : Number(after))) {
    socket.send(event);
  }
  socket.after = Number(after ?? 0);
  socket.on("message", (data) => {
    const event = JSON.stringify({ id: events.length + 1, data: String(data) });
    events.push(event);
    for (const reader of server.clients) {
      if (reader.readyState === WebSocket.OPEN && events.length > reader.after) {
        reader.send(event);
      }
    }
  });
  // Without this, one broken frame would end the program.
  socket.on("error", (error) => console.error(error.message));
});

server.on("listening", () => console.log(`listening on http://127.0.0.1:${port}`));
