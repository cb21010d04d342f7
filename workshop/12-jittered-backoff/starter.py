"""Reads an event stream, comes back when it is cut, and prints a line of JSON per event."""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request

WAIT = 0.2  # seconds


def read(response):
    """Reads one answer to its end."""
    data = []
    for line in response:
        if line.startswith(b"data: "):
            data.append(line.decode()[6:].removesuffix("\n"))
        elif line == b"\n" and data:
            print(json.dumps({"data": "\n".join(data)}), flush=True)
            data = []


while True:
    request = urllib.request.Request(sys.argv[1], headers={"Accept": "text/event-stream"})
    try:
        with urllib.request.urlopen(request) as response:
            if response.status == 204:
                break
            read(response)
    except urllib.error.HTTPError as error:
        print(f"answered with status {error.code}", file=sys.stderr)
    except (OSError, http.client.HTTPException) as error:
        print(f"cut off: {error}", file=sys.stderr)
    time.sleep(WAIT)
