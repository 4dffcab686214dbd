"""Deliveries per second: watchers of one pod, each of which must see every change of it."""

from __future__ import annotations

import asyncio
import ssl
import time

import aiohttp

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "fanout", "labels": {"step": "0"}},
    "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "example.com/app:1"}]},
}


async def measure(server: str, token: str, *, watchers: int = 100, changes: int = 300) -> float:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"}
    pods = f"{server}/api/v1/namespaces/default/pods"
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        async with session.post(pods, json=POD) as response:
            revision = (await response.json())["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": revision, "fieldSelector": "metadata.name=fanout"}
        streams = await asyncio.gather(*(session.get(pods, params=query) for _ in range(watchers)))
        started = time.perf_counter()
        seeing = [asyncio.ensure_future(_see(stream, changes)) for stream in streams]
        for step in range(1, changes + 1):
            patch = {"metadata": {"labels": {"step": str(step)}}}
            headers = {"Content-Type": "application/merge-patch+json"}
            async with session.patch(f"{pods}/fanout", json=patch, headers=headers) as response:
                response.raise_for_status()
        await asyncio.gather(*seeing)
        seconds = time.perf_counter() - started
        for stream in streams:
            stream.close()
    return watchers * changes / seconds


async def _see(stream: aiohttp.ClientResponse, changes: int) -> None:
    seen = 0
    while seen < changes:
        seen += (await stream.content.readany()).count(b'"MODIFIED"')
