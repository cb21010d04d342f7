"""Whatever is published goes to every reader at once, and nobody waits for a reader who does not read."""

import json
import os
import queue
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_WAITING = 16  # events, for each reader

lock = threading.Lock()
readers = {}  # each reader's queue, and its connection
count = 0


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        if self.path != "/publish":
            self.send_error(404, "there are only /publish and /events")
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            count += 1
            answer = json.dumps({"id": count}).encode()
            send(f"id: {count}\ndata: {data}\n\n".encode())
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        if self.path != "/events":
            self.send_error(404, "there are only /publish and /events")
            return
        # First into the list: what is published from now on is the reader's.
        waiting = queue.Queue(maxsize=MOST_WAITING)
        with lock:
            readers[waiting] = self.connection
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        try:
            # This thread waits for this reader, and for nobody else.
            while True:
                self.wfile.write(waiting.get())
        except OSError:
            pass  # the reader has gone away, or was cut off
        finally:
            with lock:
                readers.pop(waiting, None)

    def log_message(self, *arguments):
        pass  # a line for every publication would be too many


def send(block):
    for waiting, connection in list(readers.items()):
        try:
            waiting.put_nowait(block)
        except queue.Full:
            # Who is that far behind is cut off, and can come back for what was missed. This ends the write
            # for which the reader's thread waits.
            del readers[waiting]
            connection.shutdown(socket.SHUT_RDWR)


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Server).serve_forever()
