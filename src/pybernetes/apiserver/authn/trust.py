"""ConfigMap kube-system/extension-apiserver-authentication: whom this cluster's servers of further APIs, and other
components, are to believe. Each API server of the cluster adds what it goes by, and takes nothing away."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pybernetes import client as clients
from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.authn import frontproxy

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"
CLIENT_CA, PROXY_CA = "client-ca-file", "requestheader-client-ca-file"
_END = "-----END CERTIFICATE-----"
ATTEMPTS = 5


def data(client_ca: bytes, proxy: frontproxy.Settings | None) -> dict[str, str]:
    """What this server goes by."""
    found = {CLIENT_CA: client_ca.decode()} if client_ca else {}
    if proxy is None:
        return found
    lists = {
        "requestheader-username-headers": proxy.names,
        "requestheader-uid-headers": proxy.uids,
        "requestheader-group-headers": proxy.groups,
        "requestheader-extra-headers-prefix": proxy.extras,
        "requestheader-allowed-names": proxy.allowed_names,
    }
    shown = {name: _shown(values) for name, values in lists.items() if values or not name.endswith("uid-headers")}
    return {**found, **shown, PROXY_CA: proxy.ca.decode()}


def combined(known: dict[str, str], ours: dict[str, str]) -> dict[str, str]:
    """With what others have written; what they have, once."""
    made = dict(known)
    for name, value in ours.items():
        there = known.get(name, "")
        if not there:
            made[name] = value
        elif name in (CLIENT_CA, PROXY_CA):
            made[name] = "".join(dict.fromkeys((*_blocks(there), *_blocks(value))))
        else:
            made[name] = _shown(dict.fromkeys((*_listed(there), *_listed(value))))
    return made


async def write(client: clients.Client, ours: dict[str, str]) -> None:
    """Until it says what it should. Raises StatusError."""
    if not ours:
        return
    for _ in range(ATTEMPTS):
        try:
            found = await client.get(core_v1.ConfigMap, NAME, NAMESPACE)
            wanted = combined(found.data, ours)
            if wanted == found.data:
                return
            changed = codecs.copy(found)
            changed.data = wanted
            await client.update(changed)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
            if error.reason == "Conflict":
                continue
            meta = meta_v1.ObjectMeta(name=NAME, namespace=NAMESPACE)
            try:
                await client.create(core_v1.ConfigMap(metadata=meta, data=ours))
            except errors.StatusError as taken:
                if taken.reason != "AlreadyExists":
                    raise
                continue
        return


def _blocks(pem: str) -> list[str]:
    return [f"{block.strip()}\n{_END}\n" for block in pem.split(_END) if block.strip()]


def _shown(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def _listed(text: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        return []
