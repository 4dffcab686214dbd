"""PodSecurity: pods keep to the standard that the labels of their namespace name."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from pybernetes.api import errors, fields
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission import hosts, plugin, templates
from pybernetes.apiserver.admission.pod_security import evaluation, levels
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items
from pybernetes.apiserver.storage import selection

_MOST_PODS = 3000
_PRIVILEGED = {f"{levels.PREFIX}enforce-policy": "privileged:latest"}
_PODS = ("pods", "pods/ephemeralcontainers", "pods/resize")


class PodSecurity(plugin.Plugin):
    name = "PodSecurity"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("namespaces", *_PODS, *templates.RESOURCES)

    def __init__(self, host: hosts.Host) -> None:
        self._namespaces: collections.Collection = host.collection("", "namespaces")
        self._pods: collections.Collection = host.collection("", "pods")
        given = host.configuration.get(self.name) or {}
        self._defaults = defaults(given.get("defaults") or {})
        exempt = given.get("exemptions") or {}
        # Of namespaces as they are: most pods are made where others were.
        self._of = functools.lru_cache(maxsize=1024)(self._asked)
        self._exempt_users = frozenset(exempt.get("usernames") or ())
        self._exempt_namespaces = frozenset(exempt.get("namespaces") or ())
        self._exempt_classes = frozenset(exempt.get("runtimeClasses") or ())

    async def validate(self, attributes: plugin.Attributes) -> None:
        if attributes.resource == "namespaces":
            self._validate_namespace(attributes)
            return
        exempt = self._exempt(attributes)
        if exempt:
            _note(attributes, exempt=exempt)
            return
        item = self._namespaces.get("", attributes.namespace)
        if item is None:
            raise errors.internal(f'failed to lookup namespace "{attributes.namespace}"')
        policy, problems = self._of(item)
        enforces = attributes.resource in _PODS
        if not problems and policy.is_privileged:
            if enforces:
                attributes.note(_PRIVILEGED)
            return
        if problems:
            _note(attributes, error=f"Failed to parse policy: {', '.join(map(str, problems))}")
        if not enforces:
            template = templates.of(attributes.resource, attributes.obj)
            if template is not None:
                self._evaluate(attributes, policy, template.metadata, template.spec, enforces=False)
        elif attributes.old is None or _is_significant(attributes.obj, attributes.old):
            pod: core_v1.Pod = attributes.obj
            self._evaluate(attributes, policy, pod.metadata, pod.spec, enforces=True)

    def _asked(self, namespace: items.Item) -> tuple[levels.Policy, list[fields.FieldError]]:
        return levels.of(namespace.labels(), self._defaults)

    def _exempt(self, attributes: plugin.Attributes) -> str:
        if attributes.namespace in self._exempt_namespaces:
            return "namespace"
        return "user" if attributes.user.name in self._exempt_users else ""

    def _evaluate(
        self,
        attributes: plugin.Attributes,
        policy: levels.Policy,
        meta: meta_v1.ObjectMeta,
        spec: core_v1.PodSpec,
        *,
        enforces: bool,
    ) -> None:
        if spec.runtimeClassName in self._exempt_classes:
            _note(attributes, exempt="runtimeClass")
            return
        found = {standard: evaluation.evaluate(standard, meta, spec) for standard in {*policy}}
        if found[policy.audit]:
            told = evaluation.told(found[policy.audit])
            _note(attributes, audit_violations=f'would violate PodSecurity "{policy.audit}": {told}')
        if enforces:
            _note(attributes, enforce_policy=str(policy.enforce))
            if found[policy.enforce]:
                why = f'violates PodSecurity "{policy.enforce}": {evaluation.told(found[policy.enforce])}'
                raise errors.forbidden("", "pods", attributes.name, why)
        if found[policy.warn]:
            told = evaluation.told(found[policy.warn])
            attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {told}')

    # -- namespaces

    def _validate_namespace(self, attributes: plugin.Attributes) -> None:
        labels = attributes.obj.metadata.labels
        policy, problems = levels.of(labels, self._defaults)
        before = None if attributes.old is None else levels.of(attributes.old.metadata.labels, self._defaults)
        if problems and (before is None or problems != before[1]):
            raise errors.invalid("", "Namespace", attributes.name, problems)
        if before is not None and not _is_stricter(policy.enforce, before[0].enforce):
            return
        if attributes.name in self._exempt_namespaces:
            if not policy.is_privileged and not policy.means(self._defaults):
                attributes.warnings.append(_ignored(attributes.name, policy, labels))
        elif before is not None:
            attributes.warnings.extend(self._existing(attributes.name, policy.enforce))

    def _existing(self, namespace: str, enforce: levels.Standard) -> Iterable[str]:
        """What to warn of: pods that would not be let in any more."""
        stored = self._pods.select(selection.Selection(namespace=namespace)).items
        pods = _one_of_each([item.peek(core_v1.Pod) for item in stored])
        pods = [pod for pod in pods if pod.spec.runtimeClassName not in self._exempt_classes]
        by_reason: dict[str, list[str]] = {}
        for pod in pods[:_MOST_PODS]:
            found = evaluation.evaluate(enforce, pod.metadata, pod.spec)
            if found:
                by_reason.setdefault(evaluation.reasons(found), []).append(pod.metadata.name)
        if len(pods) > _MOST_PODS:
            which = f"the first {_MOST_PODS} of {len(pods)} existing pods"
            yield f"new PodSecurity enforce level only checked against {which}"
        if by_reason:
            yield f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"'
        yield from sorted(f"{_shown(names)}: {reason}" for reason, names in by_reason.items())


def defaults(given: dict[str, Any]) -> levels.Policy:
    """From a configuration, which has been checked."""
    return levels.Policy(
        **{
            mode: levels.Standard(
                given.get(mode) or levels.PRIVILEGED,
                levels.minor_of(given.get(f"{mode}-version") or "latest") or 0,
            )
            for mode in levels.Policy._fields
        }
    )


def _note(attributes: plugin.Attributes, **said: str) -> None:
    attributes.note({levels.PREFIX + name.replace("_", "-"): value for name, value in said.items()})


def _is_stricter(new: levels.Standard, old: levels.Standard) -> bool:
    """Whether pods that were let in may not be any more."""
    if new == old or new.level == levels.PRIVILEGED:
        return False
    return new.minor != old.minor or levels.compare(new.level, old.level) > 0


def _ignored(name: str, policy: levels.Policy, labels: dict[str, str]) -> str:
    stated = [
        f"{mode}={standard}"
        for mode, standard in zip(policy._fields, policy, strict=True)
        if standard.level != levels.PRIVILEGED
        and (levels.PREFIX + mode in labels or f"{levels.PREFIX}{mode}-version" in labels)
    ]
    return f'namespace "{name}" is exempt from Pod Security, and the policy ({", ".join(stated)}) will be ignored'


def _one_of_each(pods: list[core_v1.Pod]) -> list[core_v1.Pod]:
    """One pod of each controller comes first, the others, which are much alike, last."""
    seen: set[str] = set()
    first: list[core_v1.Pod] = []
    others: list[core_v1.Pod] = []
    for pod in pods:
        owner = next((one.uid for one in pod.metadata.ownerReferences if one.controller), None)
        (others if owner in seen else first).append(pod)
        if owner is not None:
            seen.add(owner)
    return first + others


def _shown(names: list[str]) -> str:
    first, more = min(names), len(names) - 1
    return first if not more else f"{first} (and {more} other {'pod' if more == 1 else 'pods'})"


def _is_significant(new: core_v1.Pod, old: core_v1.Pod) -> bool:
    """Whether a pod runs something that it did not."""
    for name in ("containers", "initContainers"):
        images = [[container.image for container in getattr(pod.spec, name)] for pod in (new, old)]
        if images[0] != images[1]:
            return True
    known = {container.name: container.image for container in old.spec.ephemeralContainers}
    return any(known.get(container.name) != container.image for container in new.spec.ephemeralContainers)
