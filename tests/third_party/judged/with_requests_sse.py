"""PyPI's `requests-sse` as exercises 18 and 19 want a client."""

import json
import sys

import requests
from requests_sse import EventSource, InvalidStatusCodeError

try:
    with EventSource(sys.argv[-1]) as source:
        for event in source:
            print(
                json.dumps({"id": event.last_event_id, "type": event.type, "data": event.data}), flush=True
            )
except InvalidStatusCodeError as error:
    print(error, file=sys.stderr)
    sys.exit(0 if error.status_code == 204 else 1)
except requests.RequestException as error:
    sys.exit(str(error))
