"""Reads an event stream, comes back when it is cut, and prints a line of JSON per event."""

import http.client
import json
import random
import sys
import time
import urllib.error
import urllib.request

BASE = 0.4  # seconds
CAP = 1.6

failures = 0  # since the last event


def read(response):
    """Reads one answer to its end."""
    global failures
    data = []
    for line in response:
        if line.startswith(b"data: "):
            data.append(line.decode()[6:].removesuffix("\n"))
        elif line == b"\n" and data:
            print(json.dumps({"data": "\n".join(data)}), flush=True)
            data = []
            # Only an event shows that the server is well: some accept a connection and drop it.
            failures = 0


while True:
    asked = 0  # for how long the server asked to be left alone
    request = urllib.request.Request(sys.argv[1], headers={"Accept": "text/event-stream"})
    try:
        with urllib.request.urlopen(request) as response:
            if response.status == 204:
                break
            read(response)
    except urllib.error.HTTPError as error:
        print(f"answered with status {error.code}", file=sys.stderr)
        seconds = error.headers.get("Retry-After", "")
        asked = int(seconds) if seconds.isdigit() else 0
    except (OSError, http.client.HTTPException) as error:
        print(f"cut off: {error}", file=sys.stderr)
    bound = min(CAP, BASE * 2**failures)
    failures += 1
    time.sleep(asked + random.uniform(0, BASE))
