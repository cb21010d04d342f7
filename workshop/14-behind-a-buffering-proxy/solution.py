"""News, from POST /publish to all who read GET /events, also through a proxy."""

import json
import os
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
readers = set()  # each reader's queue
count = 0


class News(BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        if self.path != "/publish":
            self.send_error(404, "there are only /publish and /events")
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            count += 1
            answer = json.dumps({"id": count}).encode()
            for waiting in readers:
                waiting.put(f"id: {count}\ndata: {data}\n\n".encode())
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
        waiting = queue.Queue()
        with lock:
            readers.add(waiting)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        # A proxy would wait until it has a buffer full.
        self.send_header("X-Accel-Buffering", "no")
        self.end_headers()
        try:
            while True:
                try:
                    block = waiting.get(timeout=1)
                except queue.Empty:
                    # A comment shows every proxy on the way that this connection is in use. No reader sees it.
                    block = b":\n\n"
                self.wfile.write(block)
        except OSError:
            pass  # the reader has gone away
        finally:
            with lock:
                readers.discard(waiting)

    def log_message(self, *arguments):
        pass  # what this program prints is for other things


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), News).serve_forever()
