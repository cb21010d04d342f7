"""A board of notices: whoever likes publishes one, and readers ask for them now and then."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

events = []
lock = threading.Lock()  # each request has a thread of its own


class Board(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/publish":
            self.answer(404, {"error": "there are only /publish and /poll"})
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            event = {"id": len(events) + 1, "data": data}
            events.append(event)
        self.answer(201, {"id": event["id"]})

    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path != "/poll":
            self.answer(404, {"error": "there are only /publish and /poll"})
            return
        with lock:
            everything = list(events)
        self.answer(200, {"events": everything})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass  # a line for every poll would be too many


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Board).serve_forever()
