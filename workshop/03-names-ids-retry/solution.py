"""A clock that ticks four times a second and rings a bell at every fourth tick."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTED = int(time.time() * 1000)
TICK = 250  # milliseconds


class Events(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/events":
            self.send_error(404, "there is only /events")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        try:
            self.wfile.write(b"retry: 2000\n\n")
            # Counted from the server's start: an id belongs to the event, whoever reads it.
            count = (int(time.time() * 1000) - STARTED) // TICK
            while True:
                count += 1
                at = STARTED + count * TICK
                time.sleep(max(0, at / 1000 - time.time()))
                name = "bell" if count % 4 == 0 else "tick"
                self.wfile.write(f"event: {name}\nid: {count}\ndata: {at}\n\n".encode())
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has gone away


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Events).serve_forever()
