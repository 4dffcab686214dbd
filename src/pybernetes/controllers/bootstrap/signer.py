"""Signs the ConfigMap `cluster-info` with every bootstrap token, so that who has one of them can trust what it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from pybernetes.controllers.bootstrap import tokens
from pybernetes.controllers.context import Context

NAME = "bootstrap-signer-controller"
NAMESPACE, CONFIG_MAP = "kube-public", "cluster-info"
CONTENT, SIGNATURE = "kubeconfig", "jws-kubeconfig-"


def signature(content: str, token_id: str, token_secret: str) -> str:
    """A JSON Web Signature (HS256) with its content left out, as of RFC 7515, appendix F."""
    header = json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":"))
    head = _part(header.encode())
    signed = hmac.new(token_secret.encode(), f"{head}.{_part(content.encode())}".encode(), hashlib.sha256)
    return f"{head}..{_part(signed.digest())}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(data: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The ConfigMap's data with a signature for each token, by id, and no others."""
    fresh = {key: text for key, text in data.items() if not key.startswith(SIGNATURE)}
    if CONTENT not in data:
        return dict(data)
    for token_id, token_secret in known.items():
        fresh[f"{SIGNATURE}{token_id}"] = signature(data[CONTENT], token_id, token_secret)
    return fresh


class Signer:
    """The controller. There is one work item, the ConfigMap."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._secrets = context.informers.of(core_v1.Secret, namespace=tokens.NAMESPACE, fields=f"type={tokens.TYPE}")
        self._maps = context.informers.of(core_v1.ConfigMap, namespace=NAMESPACE, fields=f"metadata.name={CONFIG_MAP}")
        self._secrets.on_change(lambda old, new: self._queue.add(CONFIG_MAP, "a bootstrap token changed"))
        self._maps.on_change(lambda old, new: self._queue.add(CONFIG_MAP, "ConfigMap changed"))

    async def run(self) -> None:
        after = (self._secrets, self._maps)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=1)

    async def reconcile(self, key: str) -> None:
        found = self._maps.cache.get(key, NAMESPACE)
        if found is None:
            return
        now = self._context.clock.time()
        known = dict(filter(None, (tokens.for_signing(secret, now) for secret in self._secrets.cache)))
        data = signed(found.data, known)
        if data == found.data:
            return
        copy = codecs.copy(found)
        copy.data = data
        try:
            await self._client.update(copy)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
