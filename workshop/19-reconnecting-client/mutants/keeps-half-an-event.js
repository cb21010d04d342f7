// Reads an event stream, comes back when it is cut, and prints a line of JSON per event, each one once.

const url = process.argv[2];

// These outlive a connection.
let lastId = "";
let retry = 1000;

function show(id, type, data) {
  console.log(JSON.stringify({ id, type, data }));
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let rest = "";
let id = "";
let type = "";
let data = [];

/** Reads one answer to its end. */
async function read(body) {
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "data") data.push(value);
      if (name === "event") type = value;
      if (name === "id") id = value;
      if (name === "retry" && /^\d+$/.test(value)) retry = Number(value);
      if (line === "") {
        // Only now the event is whole, and its id may be told to the server.
        lastId = id;
        if (data.length > 0) show(id, type || "message", data.join("\n"));
        type = "";
        data = [];
      }
    }
  }
}

while (true) {
  try {
    const headers = { Accept: "text/event-stream" };
    if (lastId !== "") headers["Last-Event-ID"] = lastId;
    const response = await fetch(url, { headers });
    if (response.status === 204) break;
    if (response.status !== 200) {
      console.error(`answered with status ${response.status}`);
      process.exit(1);
    }
    await read(response.body);
  } catch (error) {
    console.error(`cut off: ${error.message}`);
  }
  await sleep(retry);
}
