"""Policies and their bindings as they are stored, and which of them a request concerns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, NamedTuple, TypeVar

from pybernetes.api import codecs, errors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import hosts, matching, plugin, versions
from pybernetes.apiserver.admission.policies import params
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

GROUP = "admissionregistration.k8s.io"
# What a policy was compiled to.
C = TypeVar("C")


class Binding(NamedTuple):
    declared: Any
    # None: wherever the policy does.
    selection: matching.Selection | None


class Policy(Generic[C]):
    """A stored policy with its bindings; it is compiled when the first request comes that it is about."""

    def __init__(self, declared: Any, bindings: list[Binding], compile_: Callable[[Any], C]) -> None:
        self.declared = declared
        self.name: str = declared.metadata.name
        self.ignores = declared.spec.failurePolicy == "Ignore"
        self.selection = selected(declared.spec.matchConstraints)
        self.bindings = bindings
        self._compile = compile_
        self._compiled: C | None = None

    @property
    def compiled(self) -> C:
        if self._compiled is None:
            self._compiled = self._compile(self.declared)
        return self._compiled


class Problem(NamedTuple):
    """A policy, or a binding of it, could not be asked: the failure policy decides."""

    policy: Any
    binding: Any
    why: str


class Invocation(NamedTuple, Generic[C]):
    """A policy to be asked with one of its parameters, about the request in the version of the kind."""

    policy: Policy[C]
    binding: Any
    kind: kinds.Kind[Any]
    param: params.Param


class Bound(Generic[C]):
    """Policies and bindings of one kind each. `compile_` makes of a policy what evaluates it."""

    def __init__(
        self,
        host: hosts.Host,
        policies: tuple[str, Any],
        bindings: tuple[str, Any],
        compile_: Callable[[Any], C],
    ) -> None:
        self._host = host
        self._policies, self._policy = host.collection(GROUP, policies[0]), policies[1]
        self._bindings, self._binding = host.collection(GROUP, bindings[0]), bindings[1]
        self._namespaces: collections.Collection = host.collection("", "namespaces")
        self._compile = compile_
        self._made_from: list[tuple[str, int]] = []
        self._known: dict[tuple[str, int], Policy[C]] = {}
        self._all: list[Policy[C]] = []
        self.versions = versions.Versions(host.registry)

    def __len__(self) -> int:
        """How many policies can be asked at all: none without a binding."""
        return min(len(self._policies), len(self._bindings))

    def all(self) -> list[Policy[C]]:
        """Those that have bindings, by name."""
        policies = self._policies.select(selection.EVERYTHING).items
        bindings = self._bindings.select(selection.EVERYTHING).items
        made_from = [(item.key, item.modified) for item in (*policies, *bindings)]
        if made_from == self._made_from:
            return self._all
        by_policy: dict[str, list[Binding]] = {}
        for item in bindings:
            binding = item.decoded(self._binding)
            resources = binding.spec.matchResources
            chosen = None if resources is None else selected(resources)
            by_policy.setdefault(binding.spec.policyName, []).append(Binding(binding, chosen))
        known = {}
        for item in policies:
            if item.name not in by_policy:
                continue
            at = (item.key, item.modified)
            found = self._known.get(at) or Policy(item.decoded(self._policy), [], self._compile)
            found.bindings = by_policy[item.name]
            known[at] = found
        self._known, self._made_from = known, made_from
        self._all = sorted(known.values(), key=lambda policy: policy.name)
        return self._all

    async def invocations(self, attributes: plugin.Attributes) -> AsyncIterator[Invocation[C] | Problem]:
        """What the request concerns, in order."""
        for policy in self.all():
            try:
                kind = policy.selection.chosen(attributes, self.versions, self._namespaces)
            except errors.StatusError as error:
                yield Problem(policy, None, f"failed to configure policy: {error}")
                continue
            if kind is None:
                continue
            for binding in policy.bindings:
                try:
                    if binding.selection is not None and not self._is_bound(binding.selection, attributes):
                        continue
                    found = await params.of(
                        self._host.registry,
                        policy.declared.spec.paramKind,
                        binding.declared.spec.paramRef,
                        attributes.own_namespace,
                    )
                except (errors.StatusError, params.ParamsError) as error:
                    yield Problem(policy, binding.declared, f"failed to configure binding: {error}")
                    continue
                for param in found:
                    yield Invocation(policy, binding.declared, kind, param)

    def _is_bound(self, chosen: matching.Selection, attributes: plugin.Attributes) -> bool:
        return chosen.chosen(attributes, self.versions, self._namespaces) is not None

    def namespace_object(self, attributes: plugin.Attributes) -> Any:
        """The namespace of what is written, as a tree; None for what is in none. Raises StatusError NotFound."""
        if not attributes.namespace:
            return None
        item = self._namespaces.get("", attributes.namespace)
        if item is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        return codecs.decode_tree(item.data)


_EVERYTHING = [
    admissionregistration_v1.NamedRuleWithOperations(
        operations=["*"], apiGroups=["*"], apiVersions=["*"], resources=["*", "*/*"]
    )
]


def selected(resources: admissionregistration_v1.MatchResources | None) -> matching.Selection:
    """Of a policy or a binding; without rules it is about everything."""
    found = resources if resources is not None else admissionregistration_v1.MatchResources()
    return matching.Selection(
        found.resourceRules or _EVERYTHING,
        excluded=found.excludeResourceRules,
        policy=found.matchPolicy,
        namespaces=found.namespaceSelector,
        objects=found.objectSelector,
    )
