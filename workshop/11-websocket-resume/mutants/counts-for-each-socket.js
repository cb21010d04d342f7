// A room that remembers: what one reader says, all of them get as an event, and who was away gets it later.

import { WebSocketServer } from "ws";

const port = Number(process.env.PORT ?? 3000);
const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/ws" });

const events = [];
const readers = new Set();

server.on("connection", (socket, request) => {
  let count = 0;
  const tell = (data) => {
    count += 1;
    socket.send(JSON.stringify({ id: count, data }));
  };
  readers.add(tell);
  socket.on("close", () => readers.delete(tell));
  const after = new URL(request.url, "http://127.0.0.1").searchParams.get("after");
  // This runs to its end before anything else does: no event comes between the old ones and the new.
  for (const event of events.slice(cursor(after))) {
    tell(event);
  }
  socket.on("message", (data) => {
    events.push(String(data));
    for (const tell of readers) {
      tell(String(data));
    }
  });
  // Without this, one broken frame would end the program.
  socket.on("error", (error) => console.error(error.message));
});

/** How many events a reader has had who comes back after this id; all of them where it is no id of ours. */
function cursor(after) {
  const known = after !== null && /^\d+$/.test(after) && Number(after) <= events.length;
  return known ? Number(after) : events.length;
}

server.on("listening", () => console.log(`listening on http://127.0.0.1:${port}`));
