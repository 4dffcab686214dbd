"""May the user do it: the filter, the wording of refusals, and the union of authorizers in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pybernetes.api import errors
from pybernetes.apiserver import request as requests


class Decision(NamedTuple):
    """`allowed` True allows, False has no opinion; nothing here ever denies outright."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(True)
NO_OPINION = Decision(False)


class Authorizer(Protocol):
    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision: ...


class Superusers:
    """The group system:masters may do everything; it must work when RBAC is empty or broken."""

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        return ALLOWED if "system:masters" in user.groups else NO_OPINION


class Union:
    """The first authorizer that allows, allows."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = authorizers

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.decide(user, attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons))


def refusal(user: requests.User, attributes: requests.Attributes, reason: str = "") -> errors.StatusError:
    """The 403 that upstream answers."""
    tail = f": {reason}" if reason else ""
    if not attributes.is_resource:
        return errors.forbidden(
            "", "", "", f'User "{user.name}" cannot {attributes.verb} path "{attributes.path}"{tail}'
        )
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {attributes.verb} resource "{resource}" '
        f'in API group "{attributes.group}" {where}{tail}'
    )
    return errors.forbidden(attributes.group, attributes.resource, attributes.name, why)


def require(authorizer: Authorizer, user: requests.User, attributes: requests.Attributes) -> None:
    """Raises StatusError 403 unless it is allowed."""
    decision = authorizer.decide(user, attributes)
    if not decision.allowed:
        raise refusal(user, attributes, decision.reason)


DECISION, REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"


class Gate:
    """Lets through what the authorizer allows; `notes` says whether the audit is told why."""

    def __init__(self, authorizer: Authorizer, *, notes: bool = False) -> None:
        self._authorizer = authorizer
        self._notes = notes

    def check(self, request: requests.Request) -> None:
        decision = self._authorizer.decide(request.user, request.attributes)
        if self._notes:
            request.annotations[DECISION] = "allow" if decision.allowed else "forbid"
            request.annotations[REASON] = decision.reason
        if not decision.allowed:
            raise refusal(request.user, request.attributes, decision.reason)
