// Reads the event stream at the URL that it is given, and prints a line of JSON per event.

const url = process.argv[2];
let lastId = "";

function show(id, type, data) {
  console.log(JSON.stringify({ id, type, data }));
}

/** Prints the events in a piece of the stream. */
function parse(text) {
  for (const block of text.split("\n\n")) {
    let type = "message";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) lastId = line.slice(4);
      if (line.startsWith("event: ")) type = line.slice(7);
      if (line.startsWith("data: ")) data = line.slice(6);
    }
    if (data !== "") show(lastId, type, data);
  }
}

const response = await fetch(url, { headers: { Accept: "text/event-stream" } });
const decoder = new TextDecoder();
for await (const chunk of response.body) {
  parse(decoder.decode(chunk));
}
