"""The time of day, once a second, to whoever opens /dates."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Dates(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/dates":
            self.send_error(404, "there is only /dates")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        try:
            while True:
                time.sleep(1)
                self.wfile.write(b"data: %d\n\n" % (time.time() * 1000))
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader has gone away


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Dates).serve_forever()
