// Reads the event stream at the URL that it is given, and prints a line of JSON per event.

const url = process.argv[2];

function show(id, type, data) {
  console.log(JSON.stringify({ id, type, data }));
}

/** Takes text in pieces, cut anywhere, and calls `take` with each line. CR, LF and CR LF end a line. */
class Lines {
  #rest = "";
  #afterCr = false;

  constructor(take) {
    this.take = take;
  }

  push(text) {
    for (const character of text) {
      if (character === "\n" && this.#afterCr) {
        // The second half of a CR LF, whose first half has ended the line.
        this.#afterCr = false;
      } else if (character === "\n" || character === "\r") {
        this.#afterCr = character === "\r";
        this.take(this.#rest);
        this.#rest = "";
      } else {
        this.#afterCr = false;
        this.#rest += character;
      }
    }
  }
}

/** Makes events of lines, as HTML 9.2.6 says. */
class Events {
  #id = "";
  #lastId = "";
  #type = "";
  #data = null;

  line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "data") this.#data = this.#data === null ? value : this.#data + "\n" + value;
    if (name === "event") this.#type = value;
    if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch() {
    this.#lastId = this.#id;
    if (this.#data !== null) show(this.#lastId, this.#type || "message", this.#data);
    this.#data = null;
    this.#type = "";
  }
}

const response = await fetch(url, { headers: { Accept: "text/event-stream" } });
const events = new Events();
const lines = new Lines((line) => events.line(line));
// It drops one byte order mark at the beginning, and keeps what is left of a character for the next piece.
const decoder = new TextDecoder();
for await (const chunk of response.body) {
  lines.push(decoder.decode(chunk, { stream: true }));
}
