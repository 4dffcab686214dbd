"""The call to a conversion webhook: an HTTPS POST to a URL, or to a Service by its cluster address."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import apiextensions_v1, core_v1
from pybernetes.apiserver.storage import collection as collections

# A review -> the answered review. Raises OSError, TimeoutError or ValueError.
Call = Callable[[Any], Awaitable[Any]]

TIMEOUT_SECONDS = 30.0
MOST_BYTES = 64 * 1024 * 1024


def caller(config: apiextensions_v1.WebhookClientConfig, services: collections.Collection) -> Call:
    """Connections are made anew for each call: where a Service is may have changed."""

    async def call(review: Any) -> Any:
        import aiohttp

        url, name = _target(config, services)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        body, headers = codecs.encode(review), {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body, headers=headers, ssl=_trust(config), server_hostname=name) as response,
            ):
                answer = await response.content.read(MOST_BYTES + 1)
        except aiohttp.ClientError as error:
            raise OSError(f'Post "{url}": {error}') from None
        if len(answer) > MOST_BYTES:
            raise ValueError("the answer is too large")
        if response.status != 200:
            raise OSError(f"the server answered {response.status}: {answer[:256].decode(errors='replace')}")
        return codecs.decode_tree(answer)

    return call


def _trust(config: apiextensions_v1.WebhookClientConfig) -> ssl.SSLContext:
    bundle = base64.b64decode(config.caBundle).decode().strip() if config.caBundle else ""
    return ssl.create_default_context(cadata=bundle or None)


def _target(config: apiextensions_v1.WebhookClientConfig, services: collections.Collection) -> tuple[str, str | None]:
    """The URL, and the name that the server's certificate has to be for."""
    if config.service is None:
        return config.url or "", None
    at = config.service
    item = services.get(at.namespace, at.name)
    if item is None:
        raise OSError(f'service "{at.name}" not found')
    service: core_v1.Service = item.decoded(core_v1.Service)
    port = at.port or 443
    if all(offered.port != port for offered in service.spec.ports):
        raise OSError(f'no service port {port} found for service "{at.name}"')
    host = service.spec.externalName if service.spec.type == "ExternalName" else service.spec.clusterIP
    if not host or host == "None":
        raise OSError(f'cannot route to service with ClusterIP "{host}"')
    shown = f"[{host}]" if ":" in host else host
    path = (at.path or "/").lstrip("/")
    return f"https://{shown}:{port}/{path}", f"{at.name}.{at.namespace}.svc"
