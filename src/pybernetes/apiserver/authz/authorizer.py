"""May the user do it: the filter, the wording of refusals, and the union of authorizers in their order."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from pybernetes.api import errors, wording
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests


class Decision(NamedTuple):
    """`allowed` or `denied`, which both end the matter, or neither: no opinion, and the next authorizer is asked.

    `error` is what went wrong on the way, whatever it came to.
    """

    allowed: bool
    reason: str = ""
    denied: bool = False
    error: str = ""


ALLOWED = Decision(True)
NO_OPINION = Decision(False)


class Rules(NamedTuple):
    """What an authorizer can list of what a user may do; `incomplete` if he may do more."""

    rules: Sequence[rbac_v1.PolicyRule] = ()
    incomplete: bool = False
    error: str = ""


class Authorizer(Protocol):
    """Most know at once. `ask` is for those that may have to ask somebody, after `decide` has said None."""

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision | None: ...

    async def ask(self, user: requests.User, attributes: requests.Attributes) -> Decision: ...

    def rules_for(self, user: requests.User, namespace: str) -> Rules: ...


class Immediate:
    """The other half of an authorizer that always knows at once."""

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        raise NotImplementedError

    async def ask(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        return self.decide(user, attributes)

    def rules_for(self, user: requests.User, namespace: str) -> Rules:
        return Rules()


class Superusers(Immediate):
    """The group system:masters may do everything; it must work when RBAC is empty or broken."""

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        return ALLOWED if "system:masters" in user.groups else NO_OPINION


class Union:
    """The first authorizer that allows or denies, decides. Reasons and errors of those without opinion add up."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = authorizers
        # Every request is decided here.
        self._decide = tuple(authorizer.decide for authorizer in authorizers)

    def decide(self, user: requests.User, attributes: requests.Attributes) -> Decision | None:
        without = None
        for decide in self._decide:
            decision = decide(user, attributes)
            if decision is NO_OPINION:
                continue
            if decision is None or decision.allowed or decision.denied:
                return decision
            without = [*without, decision] if without is not None else [decision]
        return NO_OPINION if without is None else _summed(without)

    async def ask(self, user: requests.User, attributes: requests.Attributes) -> Decision:
        without = []
        for authorizer in self._authorizers:
            decision = authorizer.decide(user, attributes)
            if decision is None:
                decision = await authorizer.ask(user, attributes)
            if decision.allowed or decision.denied:
                return decision
            without.append(decision)
        return _summed(without)

    def rules_for(self, user: requests.User, namespace: str) -> Rules:
        found = [authorizer.rules_for(user, namespace) for authorizer in self._authorizers]
        return Rules(
            [rule for one in found for rule in one.rules],
            any(one.incomplete for one in found),
            wording.aggregate([one.error for one in found if one.error]),
        )


def _summed(decisions: Sequence[Decision]) -> Decision:
    reasons = [decision.reason for decision in decisions if decision.reason]
    problems = [decision.error for decision in decisions if decision.error]
    return Decision(False, "\n".join(reasons), error=wording.aggregate(problems))


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


async def decided(authorizer: Authorizer, user: requests.User, attributes: requests.Attributes) -> Decision:
    """Of whoever knows, at once or not."""
    decision = authorizer.decide(user, attributes)
    return decision if decision is not None else await authorizer.ask(user, attributes)


async def require(authorizer: Authorizer, user: requests.User, attributes: requests.Attributes) -> None:
    """Raises StatusError 403 unless it is allowed."""
    decision = await decided(authorizer, user, attributes)
    if not decision.allowed:
        raise refusal(user, attributes, decision.reason)


DECISION, REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"


class Gate:
    """Lets through what the authorizer allows; `notes` says whether the audit is told why."""

    def __init__(self, authorizer: Authorizer, *, notes: bool = False) -> None:
        self._authorizer = authorizer
        self._notes = notes

    def check(self, request: requests.Request) -> Awaitable[None] | None:
        decision = self._authorizer.decide(request.user, request.attributes)
        if decision is None:
            return self._ask(request)
        if not decision.allowed:
            self._conclude(request, decision)
        elif self._notes:
            request.annotations[DECISION] = "allow"
            request.annotations[REASON] = decision.reason
        return None

    async def _ask(self, request: requests.Request) -> None:
        self._conclude(request, await self._authorizer.ask(request.user, request.attributes))

    def _conclude(self, request: requests.Request, decision: Decision) -> None:
        failed = bool(decision.error) and not decision.allowed
        if self._notes:
            if not failed:
                request.annotations[DECISION] = "allow" if decision.allowed else "forbid"
            request.annotations[REASON] = "internal error" if failed else decision.reason
        if failed:
            # Nobody knows whether it is allowed.
            raise errors.error(500, "InternalError", f'Internal Server Error: "{request.path}": {decision.error}')
        if not decision.allowed:
            raise refusal(request.user, request.attributes, decision.reason)
