"""A feed of notices. A reader who was cut off says which one came last, and misses none."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()  # each request has a thread of its own
events = []  # an event's id is its place here, counted from one
readers = set()  # what is to be sent to each


class Feed(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/publish":
            self.send_error(404, "there are only /publish and /events")
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            events.append(data)
            number = len(events)
            for inbox in readers:
                inbox.put((number, data))
        body = json.dumps({"id": number}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path != "/events":
            self.send_error(404, "there are only /publish and /events")
            return
        last = parse_qs(url.query).get("lastEventId", [""])[0]
        inbox = SimpleQueue()
        # Under one lock, so that no event falls between the old ones and the new.
        with lock:
            # Whoever comes without an id, or with one that never was, begins at the present.
            is_known = last.isdecimal() and int(last) <= len(events)
            begin = int(last) if is_known else len(events)
            for number, data in enumerate(events[begin:], begin + 1):
                inbox.put((number, data))
            readers.add(inbox)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            while True:
                number, data = inbox.get()
                self.wfile.write(f"id: {number}\ndata: {data}\n\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has gone away
        finally:
            with lock:
                readers.discard(inbox)

    def log_message(self, *arguments):
        pass  # a line for every request would be too many


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Feed).serve_forever()
