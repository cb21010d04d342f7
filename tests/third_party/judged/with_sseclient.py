"""PyPI's `sseclient-py` as exercise 18 wants a client. It leaves the connection to its caller: `requests`."""

import json
import sys

import requests
import sseclient

response = requests.get(sys.argv[-1], headers={"Accept": "text/event-stream"}, stream=True)
# A piece as it comes, and not a block that is waited for.
pieces = response.raw.stream(amt=None)
for event in sseclient.SSEClient(pieces).events():
    print(json.dumps({"id": event.id, "type": event.event, "data": event.data}), flush=True)
