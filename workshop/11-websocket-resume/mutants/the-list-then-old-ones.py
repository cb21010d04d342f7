"""A room that remembers: what one reader says, all of them get as an event, and who was away gets it later."""

import asyncio
import json
import os
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

events = []  # an event's id is its place, counted from one
readers = set()


async def talk(socket):
    query = parse_qs(urlsplit(socket.request.path).query)
    readers.add(socket)
    try:
        for event in events[cursor(query.get("after", [""])[0]) :]:
            await socket.send(event)
        async for message in socket:
            events.append(json.dumps({"id": len(events) + 1, "data": message}))
            broadcast(readers, events[-1])
    except ConnectionClosed:
        pass  # gone without a goodbye
    finally:
        readers.discard(socket)


def cursor(after):
    """How many events a reader has had who comes back after this id; all of them where it is no id of ours."""
    known = after.isdecimal() and int(after) <= len(events)
    return int(after) if known else len(events)


def only_ws(connection, request):
    if urlsplit(request.path).path != "/ws":
        return connection.respond(HTTPStatus.NOT_FOUND, "there is only /ws\n")


async def main():
    port = int(os.environ.get("PORT", "3000"))
    async with serve(talk, "127.0.0.1", port, process_request=only_ws) as server:
        print(f"listening on http://127.0.0.1:{port}")
        await server.serve_forever()


asyncio.run(main())
