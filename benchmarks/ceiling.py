"""The ceiling: the same HTTP stack over the same TLS, doing no work. Rates are quoted as shares of it.

Usage: python benchmarks/ceiling.py PORT CERTIFICATE KEY BODY [BODY ...]; GET /N answers the Nth body.
"""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import sys

import httptools
import uvloop


class Ceiling(asyncio.Protocol):
    answers: tuple[bytes, ...] = ()

    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_url(self, url):
        self.url = url

    def on_message_complete(self):
        self.transport.write(self.answers[int(self.url[1:])])


async def serve(port: int, certificate: str, key: str, bodies: list[bytes]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    Ceiling.answers = tuple(head % len(body) + body for body in bodies)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(Ceiling, "127.0.0.1", port, ssl=tls)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    port, certificate, key, *files = sys.argv[1:]
    uvloop.run(serve(int(port), certificate, key, [pathlib.Path(file).read_bytes() for file in files]))
