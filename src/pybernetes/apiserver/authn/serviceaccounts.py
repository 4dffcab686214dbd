"""Service-account tokens: JSON Web Tokens signed with the cluster's key, bound to pods, secrets or nodes.

A verified signature is remembered (it costs about 40 us); that the account and what the token is bound to still exist
is looked up in the watch cache every time, so that deleting a pod ends its token at once.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import signing
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

REMEMBERED = 4096
LEGACY_ISSUER = "kubernetes/serviceaccount"
PREFIX = "system:serviceaccount:"


class Lookup(Protocol):
    """Finds the uid of what a token is bound to; None if it is gone. `kind` as in `pods`, `secrets`, `nodes`."""

    def __call__(self, kind: str, namespace: str, name: str) -> str | None: ...


class Used(Protocol):
    """Told that the token of a Secret was sent, before it is accepted. Raises InvalidToken where it must not be."""

    def __call__(self, namespace: str, account: str, name: str) -> None: ...


class InvalidToken(Exception):
    """Why the token is not accepted."""


class Bound(msgspec.Struct, frozen=True):
    """What a token's life depends on."""

    kind: str
    name: str
    uid: str


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """Signs tokens and checks signatures. `issuers[0]` is the `iss` claim, `audiences` what the API server answers to.

    Tokens of all the issuers are accepted, and those that one of `more_keys` has signed.
    """

    def __init__(
        self,
        key: signing.PrivateKey,
        *,
        issuers: Sequence[str],
        audiences: tuple[str, ...],
        clock: clocks.Clock,
        chance: chances.Chance,
        more_keys: Sequence[signing.PublicKey] = (),
    ) -> None:
        self._key = key
        self._keys = (key.public_key(), *more_keys)
        self._algorithm = signing.algorithm(key)
        self._issuers = issuers
        self.issuer = issuers[0]
        self.audiences = audiences
        self._clock = clock
        self._chance = chance
        self.key_id = signing.key_id(key.public_key())
        self._verified: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT of those claims."""
        header = {"alg": self._algorithm, "kid": self.key_id}
        signed = f"{_part(msgspec.json.encode(header))}.{_part(msgspec.json.encode(claims))}"
        return f"{signed}.{_part(signing.sign(self._key, signed.encode()))}"

    def issue(
        self,
        *,
        namespace: str,
        name: str,
        uid: str,
        audiences: tuple[str, ...],
        seconds: int,
        bound: Bound | None,
        node: tuple[str, str] | None = None,
    ) -> tuple[str, float]:
        """A bound token for a service account and when it expires, in epoch seconds."""
        now = int(self._clock.time())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound is not None:
            private[bound.kind] = {"name": bound.name, "uid": bound.uid}
        if node is not None:
            private["node"] = {"name": node[0], "uid": node[1]}
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": self._chance.uuid(),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"{PREFIX}{namespace}:{name}",
        }
        return self.sign(claims), float(now + seconds)

    def issue_legacy(self, *, namespace: str, name: str, uid: str, secret: str) -> str:
        """The token of a `kubernetes.io/service-account-token` Secret; it has no expiry."""
        return self.sign(
            {
                "iss": LEGACY_ISSUER,
                "kubernetes.io/serviceaccount/namespace": namespace,
                "kubernetes.io/serviceaccount/secret.name": secret,
                "kubernetes.io/serviceaccount/service-account.name": name,
                "kubernetes.io/serviceaccount/service-account.uid": uid,
                "sub": f"{PREFIX}{namespace}:{name}",
            }
        )

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by one of the keys. Raises InvalidToken."""
        known = self._verified.get(token)
        if known is not None:
            return known
        try:
            header, body, signature = token.split(".")
            named = msgspec.json.decode(_bytes(header)).get("alg")
            keys = [key for key in self._keys if signing.algorithm(key) == named]
            data, signed = f"{header}.{body}".encode(), _bytes(signature)
            if not any(signing.verifies(key, signed, data) for key in keys):
                raise InvalidToken("the token is malformed or its signature does not verify")
            claims = msgspec.json.decode(_bytes(body))
        except (ValueError, AttributeError, binascii.Error, msgspec.DecodeError):
            raise InvalidToken("the token is malformed or its signature does not verify") from None
        if not isinstance(claims, dict):
            raise InvalidToken("the token's claims are not an object")
        self._verified[token] = claims
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def authenticate(
        self, token: str, lookup: Lookup, *, used: Used, audiences: tuple[str, ...] = ()
    ) -> tuple[requests.User, tuple[str, ...]]:
        """The token's user and the audiences it is good for, of those asked. Raises InvalidToken."""
        claims = self.claims(token)
        if claims.get("iss") == LEGACY_ISSUER:
            return _legacy_user(claims, lookup, used), audiences or self.audiences
        now = self._clock.time()
        if claims.get("iss") not in self._issuers:
            raise InvalidToken("the token is from another issuer")
        if now >= claims.get("exp", 0):
            raise InvalidToken("service account token has expired")
        if now < claims.get("nbf", 0) - 10:
            raise InvalidToken("service account token is not valid yet")
        good_for = tuple(audience for audience in audiences or self.audiences if audience in claims.get("aud", ()))
        if not good_for:
            raise InvalidToken(f"token audiences {claims.get('aud')} is invalid for the target audiences")
        return _bound_user(claims, lookup), good_for


def _account(namespace: str, name: str, uid: str, lookup: Lookup) -> None:
    if lookup("serviceaccounts", namespace, name) != uid:
        raise InvalidToken(f"service account {namespace}/{name} has been deleted")


def _user(namespace: str, name: str, uid: str, extra: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> requests.User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return requests.User(f"{PREFIX}{namespace}:{name}", uid, groups, extra)


def _legacy_user(claims: dict[str, Any], lookup: Lookup, used: Used) -> requests.User:
    private = {key.rsplit("/", 1)[-1]: str(value) for key, value in claims.items()}
    namespace, name = private.get("namespace", ""), private.get("service-account.name", "")
    uid, secret = private.get("service-account.uid", ""), private.get("secret.name", "")
    _account(namespace, name, uid, lookup)
    used(namespace, name, secret)
    return _user(namespace, name, uid)


def _bound_user(claims: dict[str, Any], lookup: Lookup) -> requests.User:
    private = claims.get("kubernetes.io", {})
    try:
        namespace, account = private["namespace"], private["serviceaccount"]
        name, uid = account["name"], account["uid"]
        extra = [("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",))]
        for kind, plural in (("pod", "pods"), ("secret", "secrets"), ("node", "nodes")):
            if kind not in private:
                continue
            target = private[kind]
            where = "" if kind == "node" else namespace
            # A pod's token also names its node, for information: then only the pod's life counts.
            informative = kind == "node" and "pod" in private
            if not informative and lookup(plural, where, target["name"]) != target["uid"]:
                raise InvalidToken(f"{kind} {target['name']} has been deleted")
            if kind != "secret":
                extra.append((f"authentication.kubernetes.io/{kind}-name", (target["name"],)))
                extra.append((f"authentication.kubernetes.io/{kind}-uid", (target["uid"],)))
    except (KeyError, TypeError):
        raise InvalidToken("the token lacks claims of a service account") from None
    _account(namespace, name, uid, lookup)
    return _user(namespace, name, uid, tuple(sorted(extra)))
