// A room: what one reader says, all of them hear, the one who said it too. Without a package.

import crypto from "node:crypto";
import http from "node:http";

const port = Number(process.env.PORT ?? 3000);
const readers = new Set();
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

const server = http.createServer((request, response) => {
  response.writeHead(404).end("there is only /ws\n");
});

server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const proof = crypto.createHash("sha1").update(key).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${proof}\r\n\r\n`,
  );
  readers.add(socket);
  socket.on("close", () => readers.delete(socket));
  socket.on("error", () => {}); // its close comes next

  let bytes = Buffer.alloc(0);
  let begun = { kind: TEXT, pieces: [] };
  socket.on("data", (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let frame = parse(bytes); frame !== null; frame = parse(bytes)) {
      bytes = frame.rest;
      hear(frame);
    }
  });

  function hear({ isLast, kind, payload }) {
    if (kind === PING) {
      socket.write(write(PONG, payload));
    } else if (kind === CLOSE) {
      socket.end(write(CLOSE, payload));
    } else if (kind <= BINARY) {
      if (kind !== CONTINUATION) begun = { kind, pieces: [] };
      begun.pieces.push(payload);
      if (isLast) {
        const message = write(begun.kind, Buffer.concat(begun.pieces));
        for (const reader of readers) reader.write(message);
      }
    }
  }
});

/** The first frame of these bytes, and what follows it; null while it is not whole. */
function parse(bytes) {
  if (bytes.length < 2) return null;
  let [length, at] = [bytes[1] & 0x7f, 2];
  if (length === 126) {
    if (bytes.length < 4) return null;
    [length, at] = [bytes.readUInt16BE(2), 4];
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    [length, at] = [Number(bytes.readBigUInt64BE(2)), 10];
  }
  const end = at + 4 + length;
  if (bytes.length < end) return null;
  const payload = bytes.subarray(at + 4, end);
  return { isLast: bytes[0] >= 0x80, kind: bytes[0] & 0x0f, payload, rest: bytes.subarray(end) };
}

/** A frame; a server's have no mask. */
function write(kind, payload) {
  const { length } = payload;
  let head = Buffer.from([0x80 | kind, length]);
  if (length > 65535) {
    head = Buffer.from([0x80 | kind, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(length), 2);
  } else if (length > 125) {
    head = Buffer.from([0x80 | kind, 126, length >> 8, length & 0xff]);
  }
  return Buffer.concat([head, payload]);
}

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
