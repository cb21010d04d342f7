"""Whatever is published goes to every reader at once."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
readers = set()
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
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        with lock:
            readers.add(self.wfile)
        # The answer lasts as long as this does not return.
        threading.Event().wait()

    def log_message(self, *arguments):
        pass  # a line for every publication would be too many


def send(block):
    for reader in list(readers):
        try:
            reader.write(block)
        except OSError:
            readers.discard(reader)  # it has gone away


port = int(os.environ.get("PORT", "3000"))
print(f"listening on http://127.0.0.1:{port}")
ThreadingHTTPServer(("127.0.0.1", port), Server).serve_forever()
