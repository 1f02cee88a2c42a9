"""A broker that hands the bytes of one producer to one consumer: `python -m` this module."""

import asyncio


async def main() -> None:
    """Serve until the process is ended; the port is printed. The consumer connects first."""
    loop = asyncio.get_running_loop()
    consumer: asyncio.Future[asyncio.StreamWriter] = loop.create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not consumer.done():
            consumer.set_result(writer)
            return
        while data := await reader.read(65_536):
            consumer.result().write(data)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
