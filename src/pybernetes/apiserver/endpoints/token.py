"""POST to `serviceaccounts/token`: a bound token for a service account."""

from __future__ import annotations

from pybernetes.api import errors, fields, times
from pybernetes.api.types import authentication_v1, core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authn import serviceaccounts
from pybernetes.apiserver.endpoints import bodies, parts
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import collection as collections

DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 1 << 32
# Tokens that the ServiceAccount admission plugin mounts live a year, so that clients that never re-read the file
# (old ones) keep working; the kubelet still rotates them by the time it was told.
MOUNTED_SECONDS = 3607
EXTENDED_SECONDS = 365 * 24 * 3600
# Tells the audit which token was made.
ISSUED = "authentication.kubernetes.io/issued-credential-id"


class Tokens:
    """`pods`, `secrets` and `nodes` are where what tokens can be bound to is stored.

    `longest` is how many seconds a token may hold, 0 for any; `extends`: those that pods get hold longer than they say.
    """

    def __init__(
        self,
        signer: serviceaccounts.Signer,
        *,
        pods: collections.Collection,
        secrets: collections.Collection,
        nodes: collections.Collection,
        longest: float = 0.0,
        extends: bool = True,
    ) -> None:
        self._signer = signer
        self._longest, self._extends = int(longest), extends
        self._pods = pods
        self._secrets = secrets
        self._nodes = nodes

    async def create(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        """`scope` is that of service accounts."""
        name, namespace = request.attributes.name, request.attributes.namespace
        account: core_v1.ServiceAccount = scope.find(namespace, name).decoded(core_v1.ServiceAccount)
        asked: authentication_v1.TokenRequest = bodies.decode(
            request, scope.kind.resource, authentication_v1.TokenRequest
        )
        _check_metadata(asked.metadata, account.metadata)
        asked = await parts.admitted(scope, request, asked)
        spec = asked.spec
        seconds = DEFAULT_SECONDS if spec.expirationSeconds is None else spec.expirationSeconds
        _check_seconds(seconds)
        bound, node = self._bound(namespace, name, spec.boundObjectRef)
        audiences = tuple(spec.audiences) or self._signer.audiences
        if 0 < self._longest < seconds:
            request.warnings.append(f"requested expiration of {seconds} seconds shortened to {self._longest} seconds")
            seconds = self._longest
        lifetime, warn_after = seconds, 0
        mounted = seconds == MOUNTED_SECONDS and bound is not None and bound.kind == "pod"
        if self._extends and mounted and set(audiences) <= set(self._signer.audiences):
            lifetime, warn_after = EXTENDED_SECONDS, seconds
        token, token_id = self._signer.issue(
            namespace=namespace,
            name=name,
            uid=account.metadata.uid,
            audiences=audiences,
            seconds=lifetime,
            bound=bound,
            node=node,
            warn_after=warn_after,
        )
        request.annotations[ISSUED] = f"JTI={token_id}"
        expires = times.to_time(scope.clock.time() + seconds)
        spec.audiences = list(audiences)
        spec.expirationSeconds = seconds
        asked.metadata.name, asked.metadata.namespace, asked.metadata.uid = name, namespace, account.metadata.uid
        asked.metadata.creationTimestamp = times.to_time(scope.clock.time())
        asked.status = authentication_v1.TokenRequestStatus(token=token, expirationTimestamp=expires)
        return results.Made(asked, 201)

    def _bound(
        self, namespace: str, account: str, reference: authentication_v1.BoundObjectReference | None
    ) -> tuple[serviceaccounts.Bound | None, tuple[str, str] | None]:
        if reference is None:
            return None, None
        found = {
            "Pod": (self._pods, "pods", namespace),
            "Secret": (self._secrets, "secrets", namespace),
            "Node": (self._nodes, "nodes", ""),
        }.get(reference.kind)
        if found is None:
            raise errors.bad_request(
                f'cannot bind token for serviceaccount "{account}" to type {reference.apiVersion}, '
                f"Kind={reference.kind}: bound object type is not supported"
            )
        collection, plural, where = found
        item = collection.get(where, reference.name)
        if item is None:
            raise errors.not_found("", plural, reference.name)
        target = item.peek({"Pod": core_v1.Pod, "Secret": core_v1.Secret, "Node": core_v1.Node}[reference.kind])
        uid = target.metadata.uid
        if reference.uid and reference.uid != uid:
            why = (
                f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. The object "
                "might have been deleted and then recreated"
            )
            raise errors.conflict("", plural, reference.name, why)
        node = None
        if reference.kind == "Pod":
            if target.spec.serviceAccountName != account:
                raise errors.bad_request(
                    f'cannot bind token for serviceaccount "{account}" to pod running with different '
                    "serviceaccount name."
                )
            home = self._nodes.get("", target.spec.nodeName) if target.spec.nodeName else None
            if target.spec.nodeName:
                # Of a node that is not there, the name is worth knowing.
                node = (target.spec.nodeName, home.peek(core_v1.Node).metadata.uid if home is not None else "")
        return serviceaccounts.Bound(reference.kind.lower(), reference.name, uid), node


def _check_metadata(stated: meta_v1.ObjectMeta, account: meta_v1.ObjectMeta) -> None:
    """A request may say whose token it wants, if it says what the URL says. Raises StatusError."""
    path = fields.Path("metadata")
    for field, what in (("name", "name"), ("namespace", "namespace")):
        value = getattr(stated, field)
        if value and value != getattr(account, field):
            problem = fields.invalid(path[field], value, f"must match the service account {what} if specified")
            raise errors.invalid("authentication.k8s.io", "TokenRequest", account.name, [problem])
    if stated.uid and stated.uid != account.uid:
        uids = f"({stated.uid}) does not match the UID of the service account ({account.uid})"
        why = f"the UID in the token request {uids}"
        raise errors.conflict("authentication.k8s.io", "TokenRequest", account.name, why)


def _check_seconds(seconds: int) -> None:
    path = fields.Path("spec")["expirationSeconds"]
    problem = None
    if seconds < MIN_SECONDS:
        problem = fields.invalid(path, seconds, "may not specify a duration less than 10 minutes")
    elif seconds > MAX_SECONDS:
        problem = fields.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")
    if problem is not None:
        raise errors.invalid("authentication.k8s.io", "TokenRequest", "", [problem])
