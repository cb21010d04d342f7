"""A board of notices: a reader's question waits until there is news."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

events = []
news_came = threading.Condition()  # each request has a thread of its own


class Board(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/publish":
            self.answer(404, {"error": "there are only /publish and /poll"})
            return
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with news_came:
            event = {"id": len(events) + 1, "data": data}
            events.append(event)
            news_came.notify_all()
        self.answer(201, {"id": event["id"]})

    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path != "/poll":
            self.answer(404, {"error": "there are only /publish and /poll"})
            return
        after = int(query.get("after", ["0"])[0])
        seconds = float(query.get("wait", ["0"])[0])
        with news_came:
            # What came between two polls is there already: nobody waits for it.
            news_came.wait_for(lambda: len(events) > after, timeout=seconds)
            news = events[after:]
        cursor = news[-1]["id"] if news else after
        self.answer(200, {"cursor": cursor, "events": news})

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
