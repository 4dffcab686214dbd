"""Service-account tokens: JSON Web Tokens signed with the cluster's key, bound to pods, secrets or nodes.

A verified signature is remembered (it costs about 40 us); that the account and what the token is bound to still exist
is looked up in the watch cache every time, so that deleting a pod ends its token at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from pybernetes.api import wording
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import jwt, signing
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

REMEMBERED = 4096
LEEWAY_SECONDS = 60.0
CREDENTIAL = "authentication.kubernetes.io/credential-id"
LEGACY_ISSUER = "kubernetes/serviceaccount"
PREFIX = "system:serviceaccount:"


class Lookup(Protocol):
    """Finds the uid of what a token is bound to; None if it is gone. `kind` as in `pods`, `secrets`, `nodes`."""

    def __call__(self, kind: str, namespace: str, name: str) -> str | None: ...


class Used(Protocol):
    """Told that the token of a Secret was sent, before it is accepted. Raises InvalidToken where it must not be."""

    def __call__(self, namespace: str, account: str, name: str) -> None: ...


InvalidToken = jwt.InvalidToken


class Bound(msgspec.Struct, frozen=True):
    """What a token's life depends on, as its claims name it (`pod`)."""

    kind: str
    name: str
    uid: str


class Reference(NamedTuple):
    """An object that must be there still (`pods`)."""

    kind: str
    namespace: str
    name: str
    uid: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a token comes to whose signature is right. `warns` is when its bearer should have had another one."""

    user: requests.User
    account: Reference
    bound: tuple[Reference, ...] = ()
    audiences: tuple[str, ...] = ()
    expires: float = 0.0
    begins: float = 0.0
    warns: float | None = None
    legacy: bool = False
    # Of a legacy one.
    secret: str = ""


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
        self._by_id = [(signing.key_id(one), one) for one in self._keys]
        self.key_id = self._by_id[0][0]
        self._verified: OrderedDict[str, Verified] = OrderedDict()

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT of those claims."""
        header = {"alg": self._algorithm, "kid": self.key_id}
        signed = f"{jwt.part(msgspec.json.encode(header))}.{jwt.part(msgspec.json.encode(claims))}"
        return f"{signed}.{jwt.part(signing.sign(self._key, signed.encode()))}"

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
        warn_after: int = 0,
    ) -> tuple[str, str]:
        """A bound token for a service account, and its id; `warn_after` seconds it should be replaced."""
        now = int(self._clock.time())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound is not None:
            private[bound.kind] = {"name": bound.name, "uid": bound.uid}
        if node is not None:
            private["node"] = {"name": node[0], "uid": node[1]} if node[1] else {"name": node[0]}
        if warn_after:
            private["warnafter"] = now + warn_after
        token_id = self._chance.uuid()
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": token_id,
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"{PREFIX}{namespace}:{name}",
        }
        return self.sign(claims), token_id

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

    def keys(self) -> tuple[signing.PublicKey, ...]:
        """Those that tokens may be signed with, the one that is used first."""
        return self._keys

    def authenticate(
        self, token: str, lookup: Lookup, *, used: Used, audiences: tuple[str, ...] = ()
    ) -> tuple[requests.User, tuple[str, ...], dict[str, str]]:
        """The token's user, the audiences it is good for, of those asked, and what the audit is to know of it.

        Raises InvalidToken.
        """
        known = self._verified.get(token) or self._verify(token)
        notes: dict[str, str] = {}
        if known.legacy:
            # Meant for this server, as it does not say for whom.
            if audiences and not set(audiences) & set(self.audiences):
                raise InvalidToken(_other_audience(self.audiences, audiences))
            notes["authentication.k8s.io/legacy-token"] = known.user.name
            good_for = audiences or self.audiences
        else:
            now = self._clock.time()
            if now >= known.expires:
                raise InvalidToken("service account token has expired")
            if now < known.begins - LEEWAY_SECONDS:
                raise InvalidToken("service account token is not valid yet")
            wanted = audiences or self.audiences
            good_for = tuple(audience for audience in known.audiences if audience in wanted)
            if not good_for:
                raise InvalidToken(_other_audience(known.audiences, wanted))
            if known.warns is not None and now > known.warns:
                late = f"subject: {known.user.name}, seconds after warning threshold: {int(now - known.warns)}"
                notes["authentication.k8s.io/stale-token"] = late
        account = known.account
        _check_account(account, lookup(account.kind, account.namespace, account.name))
        for bound in known.bound:
            _check_bound(bound, lookup(bound.kind, bound.namespace, bound.name))
        if known.legacy:
            used(account.namespace, account.name, known.secret)
        return known.user, good_for, notes

    def _verify(self, token: str) -> Verified:
        """A token that one of the keys has signed. Raises InvalidToken."""
        parsed = jwt.parse(token)
        issuer = parsed.issuer
        if issuer != LEGACY_ISSUER and issuer not in self._issuers:
            raise jwt.NotOurs("the token is from another issuer")
        keys = [key for key_id, key in self._by_id if parsed.key_id in ("", key_id)]
        if not keys:
            raise InvalidToken("invalid signature, no keys found")
        good = any(
            signing.algorithm(key) == parsed.algorithm and signing.verifies(key, parsed.signature, parsed.signed)
            for key in keys
        )
        if not good:
            raise InvalidToken("the token is malformed or its signature does not verify")
        try:
            known = _legacy(parsed.claims) if issuer == LEGACY_ISSUER else _bound(parsed.claims)
        except (KeyError, TypeError, AttributeError):
            raise InvalidToken("the token lacks claims of a service account") from None
        self._verified[token] = known
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return known


def _other_audience(meant: Sequence[str], wanted: Sequence[str]) -> str:
    return f"token audiences {wording.quoted(meant)} is invalid for the target audiences {wording.quoted(wanted)}"


def _check_account(account: Reference, uid: str | None) -> None:
    if uid is None:
        raise InvalidToken(f'serviceaccounts "{account.name}" not found')
    if uid != account.uid:
        raise InvalidToken(f"service account UID ({uid}) does not match claim ({account.uid})")


def _check_bound(bound: Reference, uid: str | None) -> None:
    if uid is None:
        raise InvalidToken("service account token has been invalidated")
    if uid != bound.uid:
        what = bound.kind.removesuffix("s")
        raise InvalidToken(f"{what} UID ({uid}) does not match service account {what} ref claim ({bound.uid})")


def _user(namespace: str, name: str, uid: str, extra: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> requests.User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return requests.User(f"{PREFIX}{namespace}:{name}", uid, groups, extra)


def _legacy(claims: dict[str, Any]) -> Verified:
    private = {key.rsplit("/", 1)[-1]: str(value) for key, value in claims.items()}
    namespace, name = private["namespace"], private["service-account.name"]
    uid, secret = private["service-account.uid"], private["secret.name"]
    return Verified(
        user=_user(namespace, name, uid),
        account=Reference("serviceaccounts", namespace, name, uid),
        legacy=True,
        secret=secret,
    )


def _bound(claims: dict[str, Any]) -> Verified:
    """Raises KeyError and TypeError for claims that are missing, or of another form."""
    private = claims["kubernetes.io"]
    namespace, account = str(private["namespace"]), private["serviceaccount"]
    name, uid = str(account["name"]), str(account["uid"])
    extra: list[tuple[str, tuple[str, ...]]] = []
    if claims.get("jti"):
        extra.append((CREDENTIAL, (f"JTI={claims['jti']}",)))
    bound = []
    for kind in ("secret", "pod", "node"):
        if kind not in private:
            continue
        found, its_uid = str(private[kind]["name"]), str(private[kind].get("uid", ""))
        # A pod's token also names its node, for information: then only the pod's life counts.
        if kind != "node" or "pod" not in private:
            bound.append(Reference(f"{kind}s", "" if kind == "node" else namespace, found, its_uid))
        if kind != "secret":
            extra.append((f"authentication.kubernetes.io/{kind}-name", (found,)))
            if its_uid:
                extra.append((f"authentication.kubernetes.io/{kind}-uid", (its_uid,)))
    warns = private.get("warnafter")
    return Verified(
        user=_user(namespace, name, uid, tuple(sorted(extra))),
        account=Reference("serviceaccounts", namespace, name, uid),
        bound=tuple(bound),
        audiences=jwt.audiences(claims),
        expires=jwt.seconds(claims, "exp") or 0.0,
        begins=jwt.seconds(claims, "nbf") or 0.0,
        warns=float(warns) if warns else None,
    )
