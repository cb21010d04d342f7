"""A room that remembers: what one reader says, all of them get as an event, and who was away gets it later."""

import asyncio
import json
import os
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

events = []  # an event's id is its place, counted from one
news_came = asyncio.Condition()


async def talk(socket):
    query = parse_qs(urlsplit(socket.request.path).query)
    telling = asyncio.create_task(tell(socket, cursor(query.get("after", [""])[0])))
    try:
        async for message in socket:
            async with news_came:
                events.append(json.dumps({"id": len(events) + 1, "data": message}))
                news_came.notify_all()
    except ConnectionClosed:
        pass  # gone without a goodbye
    finally:
        telling.cancel()


def cursor(after):
    """How many events a reader has had who comes back after this id; all of them where it is no id of ours."""
    known = after.isdecimal() and int(after) <= len(events)
    return int(after) if known else len(events)


async def tell(socket, count):
    """Sends what comes after the first so many: old events and new ones alike, so that there is no seam."""
    try:
        while True:
            while count < len(events):
                count += 1
                await socket.send(events[count - 1])
            async with news_came:
                await news_came.wait_for(lambda: len(events) > count)
    except ConnectionClosed:
        pass  # it may come back


def only_ws(connection, request):
    if urlsplit(request.path).path != "/ws":
        return connection.respond(HTTPStatus.NOT_FOUND, "there is only /ws\n")


async def main():
    port = int(os.environ.get("PORT", "3000"))
    async with serve(talk, "127.0.0.1", port, process_request=only_ws) as server:
        print(f"listening on http://127.0.0.1:{port}")
        await server.serve_forever()


asyncio.run(main())
