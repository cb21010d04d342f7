"""A feed that shows that it lives, and lets go of readers who do not show it."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue

HEARTBEAT = 1  # seconds
SILENCE = 3

lock = threading.Lock()  # each request has a thread of its own
readers = {}  # by number
count = 0


class Reader:
    def __init__(self):
        self.inbox = SimpleQueue()
        self.heard = time.monotonic()


class Feed(BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/publish":
            with lock:
                for reader in readers.values():
                    reader.inbox.put(text)
            self.answer(201, {"id": time.time_ns()})
        elif self.path == "/alive":
            with lock:
                reader = readers.get(text)
            self.answer(200 if reader else 404, {"known": reader is not None})
        else:
            self.answer(404, {"error": "there are only /events, /alive, /publish and /readers"})

    def do_GET(self):
        if self.path == "/events":
            self.events()
        elif self.path == "/readers":
            self.answer(200, {"readers": len(readers)})
        else:
            self.answer(404, {"error": "there are only /events, /alive, /publish and /readers"})

    def events(self):
        global count
        reader = Reader()
        with lock:
            count += 1
            number = str(count)
            readers[number] = reader
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            self.say(f"event: hello\ndata: {number}\n\n")
            while time.monotonic() - reader.heard < SILENCE:
                try:
                    self.say(f"data: {reader.inbox.get(timeout=HEARTBEAT)}\n\n")
                except Empty:
                    self.say(": still here\n\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has gone away
        finally:
            with lock:
                del readers[number]

    def say(self, text):
        self.wfile.write(text.encode())

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass  # a line for every request would be too many


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Feed).serve_forever()
