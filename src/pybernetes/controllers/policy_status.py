"""Checks the types of ValidatingAdmissionPolicies' expressions against the schemas of the kinds that they are about.

What is wrong stands in the policy's status as warnings; the policy works all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.client import Client
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "validatingadmissionpolicy-status-controller"
_REFERENCE = "#/components/schemas/"

Policy = admissionregistration_v1.ValidatingAdmissionPolicy


class Resource(NamedTuple):
    """A resource as rules name it."""

    group: str
    version: str
    name: str


class Kind(NamedTuple):
    """In the order that upstream looks at them in; as text it is Go's."""

    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


def named(policy: Policy) -> list[Resource]:
    """The resources that a policy names outright; a rule with a wildcard for group or version names none."""
    found: dict[Resource, None] = {}
    matching = policy.spec.matchConstraints
    for rule in matching.resourceRules if matching is not None else ():
        if any("*" in text for text in (*rule.apiGroups, *rule.apiVersions)):
            continue
        names = [name for name in rule.resources if "*" not in name and "/" not in name]
        for group in sorted(rule.apiGroups):
            for version in sorted(rule.apiVersions):
                found |= dict.fromkeys(Resource(group, version, name) for name in sorted(names))
    return list(found)


def params_kind(policy: Policy) -> Kind | None:
    about = policy.spec.paramKind
    if about is None:
        return None
    group, _, version = about.apiVersion.rpartition("/")
    return Kind(group, version, about.kind)


def whole(schema: Mapping[str, Any], known: Mapping[str, Any], within: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A schema of an OpenAPI document with what it refers to in place; one that contains itself ends there."""
    if "oneOf" in schema:
        return {"x-kubernetes-int-or-string": True}
    merged = dict(schema)
    for part in (schema, *schema.get("allOf", ())):
        name = part.get("$ref", "").removeprefix(_REFERENCE)
        if name in within:
            return {}
        if name in known:
            merged |= whole(known[name], known, within | {name})
    for key in ("items", "additionalProperties"):
        if isinstance(merged.get(key), Mapping):
            merged[key] = whole(merged[key], known, within)
    if "properties" in merged:
        merged["properties"] = {name: whole(inner, known, within) for name, inner in merged["properties"].items()}
    return merged


def find(document: Mapping[str, Any], kind: Kind) -> dict[str, Any] | None:
    """The schema of a kind in an OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    for name, schema in schemas.items():
        if kind._asdict() in schema.get("x-kubernetes-group-version-kind", ()):
            return whole(schema, schemas, frozenset({name}))
    return None


class Schemas:
    """What the server says of its kinds, asked once for each group and version."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: dict[str, Any] = {}

    async def kinds(self, resources: list[Resource]) -> list[Kind]:
        found: set[Kind] = set()
        for group, version, name in resources:
            listed = await self._ask(_path(group, version))
            for entry in listed.get("resources", ()):
                if entry["name"] == name:
                    found.add(Kind(entry.get("group", group), entry.get("version", version), entry["kind"]))
        return sorted(found)

    async def of(self, kind: Kind) -> dict[str, Any] | None:
        """None for a kind that is not served."""
        return find(await self._ask(f"/openapi/v3{_path(kind.group, kind.version)}"), kind)

    async def _ask(self, path: str) -> Any:
        if path not in self._answers:
            try:
                self._answers[path] = await self._client.raw(path)
            except errors.StatusError as error:
                if error.code != 404:
                    raise
                self._answers[path] = {}
        return self._answers[path]


def _path(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


class PolicyStatus:
    """The controller. Work items are policies."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._policies = context.informers.of(Policy)
        self._policies.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._policies,))

    def _changed(self, old: Policy | None, new: Policy | None) -> None:
        if new is not None and (new.metadata.generation or 0) > new.status.observedGeneration:
            self._queue.add(key_of(new), "ValidatingAdmissionPolicy changed")

    async def reconcile(self, key: str) -> None:
        policy = self._policies.cache.get(key)
        generation = policy.metadata.generation or 0 if policy is not None else 0
        if policy is None or generation <= policy.status.observedGeneration:
            return
        copy = codecs.copy(policy)
        copy.status.observedGeneration = generation
        copy.status.typeChecking = admissionregistration_v1.TypeChecking(expressionWarnings=await self._check(policy))
        await self._client.update_status(copy)

    async def _check(self, policy: Policy) -> list[admissionregistration_v1.ExpressionWarning]:
        # Loads the expression engine, which most clusters need not have.
        from pybernetes.api.cel import type_checking

        schemas = Schemas(self._client)
        kinds = await schemas.kinds(named(policy))
        typed = [(str(kind), schema) for kind in kinds if (schema := await schemas.of(kind)) is not None]
        about = params_kind(policy)
        return type_checking.warnings(policy, typed, params=await schemas.of(about) if about is not None else None)
