"""A chat room: everybody hears what anybody says."""

import asyncio
import os
import signal

from websockets.asyncio.server import broadcast, serve

clients = set()


async def chat(socket):
    clients.add(socket)
    try:
        async for message in socket:
            broadcast(clients, message)
    finally:
        clients.discard(socket)


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(chat, "", int(os.environ.get("PORT", "8080"))):
        await stop.wait()


asyncio.run(main())
