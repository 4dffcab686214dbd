"""An identity provider on a real HTTPS port of this machine."""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Any

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from pybernetes.apiserver.authn import jwt, keysets, signing
from tests.fakes import webhooks

CLIENT = "pybernetes"


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of several."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FakeProvider:
    """`async with FakeProvider() as provider`; `issue(...)` makes tokens, `signing` is the key they are signed with."""

    def __init__(self) -> None:
        self.signing: signing.PrivateKey = key()
        self.shown: list[signing.PublicKey] = [key().public_key()]
        self.fetched = 0
        # Set whenever its keys are asked for.
        self.asked = asyncio.Event()
        self.broken = False
        self.held: asyncio.Event | None = None
        self.url = ""

    async def __aenter__(self) -> FakeProvider:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._configuration)
        application.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        pair = webhooks.authority().server("provider", {"127.0.0.1"})
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.held is not None:
            self.held.set()
        await self._runner.cleanup()

    async def _configuration(self, _: web.Request) -> web.Response:
        if self.broken:
            return web.Response(status=503)
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, _: web.Request) -> web.Response:
        self.fetched += 1
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        return web.json_response(keysets.document(self.shown))

    def issue(self, **claims: Any) -> str:
        """A token for `CLIENT` that holds for an hour of virtual time, but for what is said."""
        return make(self.signing, {"iss": self.url, "aud": CLIENT, "exp": 1_700_003_600, "sub": "jane", **claims})


def make(private: signing.PrivateKey, claims: dict[str, Any], **header: Any) -> str:
    head = {"alg": signing.algorithm(private), "kid": signing.key_id(private.public_key()), **header}
    signed = f"{jwt.part(msgspec.json.encode(head))}.{jwt.part(msgspec.json.encode(claims))}"
    return f"{signed}.{jwt.part(signing.sign(private, signed.encode()))}"
