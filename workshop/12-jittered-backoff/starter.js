// Reads an event stream, comes back when it is cut, and prints a line of JSON per event.

import { setTimeout as sleep } from "node:timers/promises";

const url = process.argv[2];
const WAIT = 200; // milliseconds

/** Reads one answer to its end. */
async function read(body) {
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ")) data.push(line.slice(6));
      if (line === "" && data.length > 0) {
        console.log(JSON.stringify({ data: data.join("\n") }));
        data = [];
      }
    }
  }
}

while (true) {
  try {
    const response = await fetch(url, { headers: { Accept: "text/event-stream" } });
    if (response.status === 204) break;
    if (response.status === 200) {
      await read(response.body);
    } else {
      console.error(`answered with status ${response.status}`);
    }
  } catch (error) {
    console.error(`cut off: ${error.message}`);
  }
  await sleep(WAIT);
}
