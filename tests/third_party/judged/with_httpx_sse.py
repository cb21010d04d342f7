"""PyPI's `httpx-sse` as exercise 18 wants a client. It leaves coming back to its caller."""

import json
import sys

import httpx
from httpx_sse import connect_sse

with httpx.Client(timeout=None, trust_env=False) as client:
    with connect_sse(client, "GET", sys.argv[-1]) as source:
        for event in source.iter_sse():
            print(json.dumps({"id": event.id, "type": event.event, "data": event.data}), flush=True)
