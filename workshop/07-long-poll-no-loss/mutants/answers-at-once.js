// A board of notices: a reader's question waits until there is news.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const events = [];
const waiting = new Set();

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  if (request.method === "POST" && url.pathname === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    const id = events.length + 1;
    events.push({ id, data });
    answer(response, 201, { id });
    for (const reader of [...waiting]) {
      reader();
    }
  } else if (request.method === "GET" && url.pathname === "/poll") {
    const after = Number(url.searchParams.get("after") ?? 0);
    const seconds = Number(url.searchParams.get("wait") ?? 0);
    const reader = () => {
      clearTimeout(timer);
      waiting.delete(reader);
      const news = events.filter((event) => event.id > after);
      const cursor = news.length > 0 ? news.at(-1).id : after;
      answer(response, 200, { cursor, events: news });
    };
    const timer = setTimeout(reader, seconds * 1000);
    waiting.add(reader);
    response.on("close", () => {
      clearTimeout(timer);
      waiting.delete(reader);
    });
    reader();
  } else {
    answer(response, 404, { error: "there are only /publish and /poll" });
  }
});

function answer(response, status, json) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(json));
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
