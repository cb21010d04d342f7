"""A room: what one reader says, all of them hear, the one who said it too."""

import asyncio
import os
from http import HTTPStatus

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

readers = set()


async def talk(socket):
    readers.add(socket)
    try:
        async for message in socket:
            broadcast(readers, message)
    except ConnectionClosed:
        pass  # gone without a goodbye
    finally:
        readers.discard(socket)


def only_ws(connection, request):
    if request.path != "/ws":
        return connection.respond(HTTPStatus.NOT_FOUND, "there is only /ws\n")


async def main():
    port = int(os.environ.get("PORT", "3000"))
    async with serve(talk, "127.0.0.1", port, process_request=only_ws) as server:
        print(f"listening on http://127.0.0.1:{port}")
        await server.serve_forever()


asyncio.run(main())
