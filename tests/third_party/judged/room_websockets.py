"""PyPI's `websockets` as exercise 8 wants a server: what one says, all hear."""

import asyncio
import os

from websockets.asyncio.server import broadcast, serve


async def talk(socket):
    async for message in socket:
        broadcast(socket.server.connections, message)


async def main():
    async with serve(talk, "127.0.0.1", int(os.environ["PORT"])) as server:
        await server.serve_forever()


asyncio.run(main())
