"""A room: what one reader says, all of them get as an event."""

import asyncio
import json
import os
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

events = []  # an event's id is its place, counted from one
news_came = asyncio.Condition()


async def talk(socket):
    telling = asyncio.create_task(tell(socket, len(events)))
    try:
        async for message in socket:
            async with news_came:
                events.append(json.dumps({"id": len(events) + 1, "data": message}))
                news_came.notify_all()
    except ConnectionClosed:
        pass  # gone without a goodbye
    finally:
        telling.cancel()


async def tell(socket, count):
    """Sends what comes after the first so many."""
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
