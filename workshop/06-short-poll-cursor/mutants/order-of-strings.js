// A board of notices: whoever likes publishes one, and readers ask for them now and then.

import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const events = [];

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  if (request.method === "POST" && url.pathname === "/publish") {
    let data = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      data += piece;
    }
    const id = String(events.length + 1);
    events.push({ id, data });
    answer(response, 201, { id });
  } else if (request.method === "GET" && url.pathname === "/poll") {
    const after = url.searchParams.get("after") ?? "";
    const news = events.filter((event) => event.id > after);
    const cursor = news.length > 0 ? news.at(-1).id : after;
    answer(response, 200, { cursor, events: news });
  } else {
    answer(response, 404, { error: "there are only /publish and /poll" });
  }
});

function answer(response, status, json) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(json));
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
