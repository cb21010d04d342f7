"""Reads the event stream at the URL that it is given, and prints a line of JSON per event."""

import json
import sys
import urllib.request


def show(id, type, data):
    print(json.dumps({"id": id, "type": type, "data": data}), flush=True)


class Lines:
    """Takes text in pieces, cut anywhere, and yields lines. CR, LF and CR LF end a line."""

    def __init__(self):
        self.rest = ""
        self.after_cr = False

    def push(self, text):
        for character in text:
            if character == "\n" and self.after_cr:
                # The second half of a CR LF, whose first half has ended the line.
                self.after_cr = False
            elif character in "\r\n":
                self.after_cr = character == "\r"
                line, self.rest = self.rest, ""
                yield line
            else:
                self.after_cr = False
                self.rest += character


class Events:
    """Makes events of lines, as HTML 9.2.6 says."""

    def __init__(self):
        self.last_id = ""
        self.type = ""
        self.data = None

    def line(self, line):
        if line == "":
            if self.data is not None:
                show(self.last_id, self.type or "message", "\n".join(self.data))
            self.type, self.data = "", None
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data = [*(self.data or []), value]
        elif name == "event":
            self.type = value
        elif name == "id" and "\0" not in value:
            self.last_id = value


request = urllib.request.Request(sys.argv[1], headers={"Accept": "text/event-stream"})
with urllib.request.urlopen(request) as response:
    lines, events, beginning = Lines(), Events(), True
    while chunk := response.read1(65536):
        text = chunk.decode("utf-8", "replace")
        if beginning and text:
            text, beginning = text.removeprefix("\ufeff"), False
        for line in lines.push(text):
            events.line(line)
