"""A stream of texts: whoever likes publishes one, and all readers get it."""

import json
import os
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

readers = set()  # a queue for each
count = 0
lock = threading.Lock()  # each request has a thread of its own


def event(data):
    """One event of the stream."""
    return f"data: {data}\n\n"


class Texts(BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        if self.path != "/publish":
            self.send_error(404, "there are only /publish and /events")
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            count += 1
            body = json.dumps({"id": count}).encode()
            for reader in readers:
                reader.put(event(data))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path != "/events":
            self.send_error(404, "there are only /publish and /events")
            return
        reader = queue.Queue()
        with lock:
            readers.add(reader)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            while True:
                self.wfile.write(reader.get().encode())
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has gone away
        finally:
            with lock:
                readers.discard(reader)


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Texts).serve_forever()
