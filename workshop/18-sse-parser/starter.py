"""Reads the event stream at the URL that it is given, and prints a line of JSON per event."""

import json
import sys
import urllib.request

last_id = ""


def show(id, type, data):
    print(json.dumps({"id": id, "type": type, "data": data}), flush=True)


def parse(text):
    """Prints the events in a piece of the stream."""
    global last_id
    for block in text.split("\n\n"):
        type, data = "message", ""
        for line in block.split("\n"):
            if line.startswith("id: "):
                last_id = line[4:]
            if line.startswith("event: "):
                type = line[7:]
            if line.startswith("data: "):
                data = line[6:]
        if data != "":
            show(last_id, type, data)


request = urllib.request.Request(sys.argv[1], headers={"Accept": "text/event-stream"})
with urllib.request.urlopen(request) as response:
    while chunk := response.read1(65536):
        parse(chunk.decode("utf-8"))
