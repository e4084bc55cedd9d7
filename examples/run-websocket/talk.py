"""Says what is typed to a chat room, and shows what is said there."""

import asyncio
import sys

from websockets.asyncio.client import connect


async def listen(socket):
    async for message in socket:
        print(message, flush=True)


async def main(url):
    async with connect(url) as socket:
        listening = asyncio.create_task(listen(socket))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await socket.send(line.rstrip("\n"))
        await asyncio.sleep(0.5)  # for the last word to come back
        listening.cancel()


asyncio.run(main(sys.argv[1]))
