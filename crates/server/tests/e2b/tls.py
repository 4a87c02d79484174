"""What speaks TLS in front of a server: passes what it hears to a port of this machine. Its arguments are a certificate and its key; it says
its own port, and reads the other one. Beside it is a proxy, whose port it says too, that takes every name for this machine: for an SDK that asks
name servers itself."""

import asyncio
import ssl
import sys


async def pass_on(reader, writer):
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, ssl.SSLError):
        writer.transport.abort()


async def main(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    behind = None

    async def serve(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
        there = asyncio.create_task(pass_on(reader, inner_writer))
        await pass_on(inner_reader, writer)
        # What breaks off behind breaks off here, too.
        writer.close()
        there.cancel()
        inner_writer.close()

    async def connect(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        method, where, _ = request.split(b"\r\n")[0].split(b" ")
        assert method == b"CONNECT", request
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(where.rsplit(b":", 1)[1]))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        there = asyncio.create_task(pass_on(reader, inner_writer))
        await pass_on(inner_reader, writer)
        writer.close()
        there.cancel()
        inner_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    proxy = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(*(each.sockets[0].getsockname()[1] for each in (server, proxy)), flush=True)
    behind = int(await asyncio.to_thread(sys.stdin.readline))
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
