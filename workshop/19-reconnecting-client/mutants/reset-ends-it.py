"""Reads an event stream, comes back when it is cut, and prints a line of JSON per event, each one once."""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request

# These outlive a connection.
last_id = ""
retry = 1000


def show(id, type, data):
    print(json.dumps({"id": id, "type": type, "data": data}), flush=True)


def read(response):
    """Reads one answer to its end. What is left of an event at the end is thrown away."""
    global last_id, retry
    id, type, data = last_id, "", []
    for line in response:
        name, _, value = line.decode().removesuffix("\n").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            type = value
        elif name == "id":
            id = value
        elif name == "retry" and value.isdigit():
            retry = int(value)
        elif line == b"\n":
            # Only now the event is whole, and its id may be told to the server.
            last_id = id
            if data:
                show(id, type or "message", "\n".join(data))
            type, data = "", []


while True:
    headers = {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    try:
        with urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers)) as response:
            if response.status == 204:
                break
            read(response)
    except urllib.error.HTTPError as error:
        sys.exit(f"answered with status {error.code}")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"cut off: {error}")
    time.sleep(retry / 1000)
