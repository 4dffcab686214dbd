"""Mode Webhook: a server of one's own decides. It is sent a SubjectAccessReview, and its answers are kept for a while.

decide: conditions hold? --no--> no opinion
           |yes
        answered lately? --yes--> the answer
           |no
        None, and `ask` sends the review; where nothing comes back, the failure policy decides
"""

from __future__ import annotations

import asyncio
import pathlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pybernetes.api import selectors, wording
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer
from pybernetes.apiserver.forwarding import reviewers
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

if TYPE_CHECKING:
    from pybernetes.api.cel import environment

MOST_ANSWERS = 8192
# What is longer than this is not kept.
MOST_KEPT = 10_000
_LABELS = {
    selectors.IN: "In",
    selectors.EQUALS: "In",
    selectors.DOUBLE_EQUALS: "In",
    selectors.NOT_IN: "NotIn",
    selectors.NOT_EQUALS: "NotIn",
    selectors.EXISTS: "Exists",
    selectors.DOES_NOT_EXIST: "DoesNotExist",
}
_Question = tuple[requests.User, requests.Attributes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`kubeconfig` names the server. Times are in seconds: how long an answer that allows, and one that does not, is
    kept, 0 for not at all; how long one may take. `denies` says that who cannot be asked is refused."""

    name: str = ""
    kubeconfig: pathlib.Path
    version: str = "v1"
    authorized_ttl: float = 300.0
    unauthorized_ttl: float = 30.0
    timeout: float = 30.0
    backoff: float = reviewers.BACKOFF_SECONDS
    denies: bool = False
    conditions: tuple[str, ...] = field(default=())


class _Answer(NamedTuple):
    decision: authorizer.Decision
    until: float


class Webhook:
    """See the module. `Settings.conditions` compile: that is checked when the configuration is read."""

    def __init__(self, settings: Settings, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._settings = settings
        self._clock = clock
        self._reviewer = reviewers.Reviewer(
            settings.kubeconfig, clock=clock, chance=chance, seconds=settings.timeout, backoff=settings.backoff
        )
        self._answers: OrderedDict[_Question, _Answer] = OrderedDict()
        # Those who ask the same at once share an answer.
        self._asking: dict[_Question, asyncio.Task[authorizer.Decision]] = {}
        self._conditions: list[environment.Program] | None = None
        self._tasks = tasks.Tasks()

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision | None:
        if self._settings.conditions:
            skipped = self._skipped(user, attributes)
            if skipped is not None:
                return skipped
        known = self._answers.get((user, attributes))
        return known.decision if known is not None and known.until > self._clock.monotonic() else None

    async def ask(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        question = (user, attributes)
        task = self._asking.get(question)
        if task is None:
            # A task of its own: who goes away while he waits does not take the answer from others.
            task = self._asking[question] = self._tasks.spawn(self._ask(question), name="webhook authorizer")
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)

    def rules_for(self, user: requests.User, namespace: str) -> authorizer.Rules:
        return authorizer.Rules(incomplete=True, error="webhook authorizer does not support user rule resolution")

    def open(self) -> None:
        """Raises ValueError where the server is not named as it should be."""
        self._reviewer.open()

    async def close(self) -> None:
        await self._tasks.close()
        await self._reviewer.close()

    async def _ask(self, question: _Question) -> authorizer.Decision:
        review = {
            "apiVersion": f"authorization.k8s.io/{self._settings.version}",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": self._spec(*question),
            "status": {"allowed": False},
        }
        try:
            status = await self._reviewer.ask(review)
        except reviewers.ReviewError as error:
            return self._failed(str(error))
        decision = _decision(status)
        ttl = self._settings.authorized_ttl if status.get("allowed") is True else self._settings.unauthorized_ttl
        if ttl > 0 and _size(question) <= MOST_KEPT:
            self._answers[question] = _Answer(decision, self._clock.monotonic() + ttl)
            self._answers.move_to_end(question)
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return decision

    def _failed(self, why: str) -> authorizer.Decision:
        return authorizer.Decision(False, denied=self._settings.denies, error=why)

    def _skipped(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision | None:
        """The decision where the conditions do not all hold: one that does not decides, whatever others come to."""
        from pybernetes.api.cel import access, environment

        if self._conditions is None:
            self._conditions = [access.compile_condition(text) for text in self._settings.conditions]
        asked = spec(user, attributes)
        problems = []
        for text, program in zip(self._settings.conditions, self._conditions, strict=True):
            try:
                if not access.holds(program, asked):
                    return authorizer.NO_OPINION
            except environment.EvaluationError as error:
                problems.append(f"cel evaluation error: expression '{text}' resulted in error: {error}")
        return self._failed(wording.aggregate(problems)) if problems else None

    def _spec(self, user: requests.User, attributes: requests.Attributes) -> dict[str, Any]:
        made = _but_for_empty(spec(user, attributes))
        if self._settings.version == "v1beta1" and "groups" in made:
            made["group"] = made.pop("groups")
        return made


def _decision(status: dict[str, Any]) -> authorizer.Decision:
    allowed, denied = status.get("allowed") is True, status.get("denied") is True
    reason = str(status.get("reason") or "")
    if allowed and denied:
        words = "webhook subject access review returned both allow and deny response"
        return authorizer.Decision(False, reason, denied=True, error=words)
    return authorizer.Decision(allowed, reason, denied=denied)


def spec(user: requests.User, attributes: requests.Attributes) -> dict[str, Any]:
    """The `spec` of a SubjectAccessReview, with all that there is in it, empty or not."""
    asked: dict[str, Any] = {
        "user": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra},
    }
    if not attributes.is_resource:
        asked["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
        return asked
    resource: dict[str, Any] = {
        "namespace": attributes.namespace,
        "verb": attributes.verb,
        "group": attributes.group,
        "version": attributes.version,
        "resource": attributes.resource,
        "subresource": attributes.subresource,
        "name": attributes.name,
    }
    narrowed = attributes.selectors or requests.Selectors()
    by_fields = [
        {"key": term.field, "operator": "In" if term.equal else "NotIn", "values": [term.value]}
        for term in narrowed.fields
    ]
    # What the API has no operator for is left out, which asks for more than is wanted.
    by_labels = [
        {"key": term.key, "operator": _LABELS[term.operator], "values": list(term.values)}
        for term in narrowed.labels
        if term.operator in _LABELS
    ]
    for name, requirements in (("fieldSelector", by_fields), ("labelSelector", by_labels)):
        if requirements:
            resource[name] = {"requirements": requirements}
    asked["resourceAttributes"] = resource
    return asked


def _but_for_empty(tree: dict[str, Any]) -> dict[str, Any]:
    made = {name: _but_for_empty(value) if isinstance(value, dict) else value for name, value in tree.items()}
    # There is a question even where all of it is empty.
    return {name: value for name, value in made.items() if value or name.endswith("Attributes")}


def _size(question: _Question) -> int:
    """The length of what a client has a free hand in."""
    _, attributes = question
    texts = [attributes.namespace, attributes.verb, attributes.group, attributes.version, attributes.resource]
    texts += [attributes.subresource, attributes.name, attributes.path]
    return sum(map(len, texts))
