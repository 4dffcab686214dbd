"""Fills Secrets of type `kubernetes.io/service-account-token` with a token that does not expire.

Users create such Secrets for clients outside the cluster; with `legacy_tokens` every ServiceAccount gets one, as it
did before Kubernetes 1.24. A Secret goes when its ServiceAccount does.
"""

from __future__ import annotations

import base64

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of, split_key

NAME = "serviceaccount-token-controller"
TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"


class Tokens:
    """The controller. Work items are `secrets/<key>` and `accounts/<key>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._settings = context, context.client, context.settings
        self._queue = context.queue(NAME)
        self._accounts = context.informers.of(core_v1.ServiceAccount)
        self._secrets = context.informers.of(core_v1.Secret, fields=f"type={TYPE}")
        self._secrets.add_index("account", self._account_key)
        self._accounts.on_change(self._account_changed)
        self._secrets.on_change(lambda old, new: self._queue.add(f"secrets/{key_of(new or old)}"))

    async def run(self) -> None:
        after = (self._accounts, self._secrets)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    @staticmethod
    def _account_key(secret: core_v1.Secret) -> tuple[str, ...]:
        name = secret.metadata.annotations.get(ACCOUNT_NAME, "")
        return (f"{secret.metadata.namespace}/{name}",) if name else ()

    def _account_changed(self, old: core_v1.ServiceAccount | None, new: core_v1.ServiceAccount | None) -> None:
        key = key_of(new or old)
        for secret in self._secrets.cache.index("account", key):
            self._queue.add(f"secrets/{key_of(secret)}", f"ServiceAccount {key} changed")
        if new is not None and self._settings.legacy_tokens:
            self._queue.add(f"accounts/{key}", "ServiceAccount changed")

    async def reconcile(self, key: str) -> None:
        what, _, rest = key.partition("/")
        namespace, name = split_key(rest)
        if what == "secrets":
            await self._reconcile_secret(namespace, name)
        else:
            await self._reconcile_account(namespace, name)

    async def _reconcile_secret(self, namespace: str, name: str) -> None:
        secret = self._secrets.cache.get(name, namespace)
        if secret is None or secret.metadata.deletionTimestamp is not None:
            return
        account = await self._account_of(secret)
        if account is None:
            # Its account is gone, or has been made anew: the token is worth nothing.
            await self._client.delete(core_v1.Secret, name, namespace, uid=secret.metadata.uid)
            return
        filled = self._filled(secret, account)
        if filled is not None:
            await self._client.update(filled)

    async def _account_of(self, secret: core_v1.Secret) -> core_v1.ServiceAccount | None:
        """Asked of the server where the cache has none: a Secret may arrive ahead of its account."""
        name = secret.metadata.annotations.get(ACCOUNT_NAME, "")
        uid = secret.metadata.annotations.get(ACCOUNT_UID, "")
        if not name:
            return None
        account = self._accounts.cache.get(name, secret.metadata.namespace)
        if account is None or (uid and account.metadata.uid != uid):
            try:
                account = await self._client.get(core_v1.ServiceAccount, name, secret.metadata.namespace)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
                return None
        return account if not uid or account.metadata.uid == uid else None

    def _filled(self, secret: core_v1.Secret, account: core_v1.ServiceAccount) -> core_v1.Secret | None:
        """The Secret as it should be; None where it is so already."""
        sign = self._settings.sign_token
        if sign is None:
            return None
        namespace, name = account.metadata.namespace, account.metadata.name
        wanted = {"namespace": _encoded(namespace.encode())}
        if self._settings.ca:
            wanted["ca.crt"] = _encoded(self._settings.ca)
        right = all(secret.data.get(key) == value for key, value in wanted.items())
        if right and "token" in secret.data and ACCOUNT_UID in secret.metadata.annotations:
            return None
        copy = codecs.copy(secret)
        copy.data.update(wanted)
        copy.metadata.annotations[ACCOUNT_UID] = account.metadata.uid
        if not copy.data.get("token"):
            claims = {
                "iss": self._settings.token_issuer,
                "sub": f"system:serviceaccount:{namespace}:{name}",
                "kubernetes.io/serviceaccount/namespace": namespace,
                "kubernetes.io/serviceaccount/secret.name": secret.metadata.name,
                "kubernetes.io/serviceaccount/service-account.name": name,
                "kubernetes.io/serviceaccount/service-account.uid": account.metadata.uid,
            }
            copy.data["token"] = _encoded(sign(claims).encode())
        return copy

    async def _reconcile_account(self, namespace: str, name: str) -> None:
        account = self._accounts.cache.get(name, namespace)
        if account is None or account.metadata.deletionTimestamp is not None:
            return
        if self._secrets.cache.index("account", key_of(account)):
            return
        secret = core_v1.Secret(
            metadata=meta_v1.ObjectMeta(
                name=f"{name}-token-{self._context.chance.suffix()}",
                namespace=namespace,
                annotations={ACCOUNT_NAME: name, ACCOUNT_UID: account.metadata.uid},
            ),
            type=TYPE,
        )
        filled = self._filled(secret, account) or secret
        copy = codecs.copy(account)
        copy.secrets.append(core_v1.ObjectReference(name=secret.metadata.name))
        # The reference first: a Secret that nothing refers to would be made again at every try.
        await self._client.update(copy)
        await self._client.create(filled)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
