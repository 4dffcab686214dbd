from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import admissionregistration_v1, core_v1, meta_v1, rbac_v1
from tests.fakes import apiserver as fakes
from tests.fakes import scrape

Policy = admissionregistration_v1.ValidatingAdmissionPolicy
Binding = admissionregistration_v1.ValidatingAdmissionPolicyBinding
CONFIG_MAPS = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    ]
}


def policy(*validations: str | dict[str, Any], name: str = "p", **more: Any) -> Policy:
    listed = [{"expression": one} if isinstance(one, str) else one for one in validations]
    spec = {"matchConstraints": CONFIG_MAPS, "validations": listed, **more}
    return codecs.from_tree(Policy, {"metadata": {"name": name}, "spec": spec})


def binding(*actions: str, name: str = "b", of: str = "p", **more: Any) -> Binding:
    spec = {"policyName": of, "validationActions": list(actions or ("Deny",)), **more}
    return codecs.from_tree(Binding, {"metadata": {"name": name}, "spec": spec})


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as server:
        yield server


async def refused(server: fakes.FakeServer, obj: Any) -> errors.StatusError:
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(obj)
    return caught.value


async def bound(server: fakes.FakeServer, one: Policy, *bindings: Binding) -> None:
    await server.client.create(one)
    for other in bindings or (binding(),):
        await server.client.create(other)


async def test_a_policy_needs_a_binding(server: fakes.FakeServer) -> None:
    await server.client.create(policy("has(object.data)"))
    await server.client.create(fakes.config_map("a"))
    await server.client.create(binding())
    error = await refused(server, fakes.config_map("b"))
    why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: has(object.data)"
    assert str(error) == f'configmaps "b" is forbidden: {why}'
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.status.details is not None
    assert error.status.details.causes[0].message == why
    await server.client.create(fakes.config_map("b", k="v"))
    await server.client.delete(Policy, "p")
    await server.client.create(fakes.config_map("c"))


async def test_messages_and_reasons(server: fakes.FakeServer) -> None:
    told = {
        "expression": "object.metadata.name != 'a'",
        "messageExpression": "'no ' + object.metadata.name + ' here'",
        "reason": "Forbidden",
    }
    plain = {
        "expression": "object.metadata.name != 'b'",
        "message": "no b",
        "messageExpression": "'x' + object.data.none",
    }
    await bound(server, policy(told, plain))
    error = await refused(server, fakes.config_map("a"))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert str(error).endswith("denied request: no a here")
    assert str(await refused(server, fakes.config_map("b"))).endswith("denied request: no b")


async def test_old_objects_requests_and_namespaces(server: fakes.FakeServer) -> None:
    labels = {"tier": "gold"}
    await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="n", labels=labels)))
    await bound(
        server,
        policy(
            "oldObject == null || oldObject.data == object.data",
            "namespaceObject.metadata.name == 'default' || namespaceObject.metadata.labels['tier'] == 'gold'",
            "request.userInfo.username == 'admin' && request.operation in ['CREATE', 'UPDATE']",
            "request.resource.resource == 'configmaps' && request.kind.kind == 'ConfigMap' && !request.dryRun",
        ),
    )
    made = await server.client.create(fakes.config_map("a", "n", k="v"))
    changed = codecs.copy(made)
    changed.data = {"k": "w"}
    with pytest.raises(errors.StatusError, match=r"oldObject\.data == object\.data"):
        await server.client.update(changed)


async def test_variables_are_evaluated_when_used(server: fakes.FakeServer) -> None:
    variables = [
        {"name": "data", "expression": "object.data"},
        {"name": "size", "expression": "size(variables.data)"},
    ]
    await bound(server, policy("!has(object.data) || variables.size < 2", variables=variables))
    await server.client.create(fakes.config_map("a"))
    await server.client.create(fakes.config_map("b", k="v"))
    assert "failed expression" in str(await refused(server, fakes.config_map("c", k="v", l="w")))


async def test_an_error_counts_as_the_failure_policy_says(server: fakes.FakeServer) -> None:
    await bound(server, policy("object.data.k == 'v'"))
    error = await refused(server, fakes.config_map("a"))
    assert str(error).endswith("denied request: expression 'object.data.k == 'v'' resulted in error: no such key: data")
    made = codecs.copy(await server.client.get(Policy, "p"))
    made.spec.failurePolicy = "Ignore"
    await server.client.update(made)
    await server.client.create(fakes.config_map("a"))


async def test_warn_and_audit(server: fakes.FakeServer) -> None:
    await bound(server, policy("false"), binding("Warn", "Audit"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    answer = await server.ask("POST", "/api/v1/namespaces/default/configmaps", body)
    assert answer.code == 201
    words = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: false"
    assert answer.headers["warning"] == f'299 - "{words}"'


class TestParams:
    KIND = {"apiVersion": "v1", "kind": "ConfigMap"}

    async def limits(self, server: fakes.FakeServer, name: str = "limits", **data: str) -> None:
        obj = fakes.config_map(name, **data)
        obj.metadata.labels = {"is": "limit"}
        await server.client.create(obj)

    async def test_by_name(self, server: fakes.FakeServer) -> None:
        await self.limits(server, most="1")
        await bound(
            server,
            policy("!has(object.data) || size(object.data) <= int(params.data.most)", paramKind=self.KIND),
            binding(paramRef={"name": "limits", "parameterNotFoundAction": "Deny"}),
        )
        await server.client.create(fakes.config_map("a", k="v"))
        await refused(server, fakes.config_map("b", k="v", l="w"))
        await server.client.delete(core_v1.ConfigMap, "limits", "default")
        error = await refused(server, fakes.config_map("b"))
        words = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
        assert str(error).endswith(f"denied request: {words}")

    async def test_by_selector_all_of_them(self, server: fakes.FakeServer) -> None:
        await self.limits(server, "one", forbidden="a")
        await self.limits(server, "two", forbidden="b")
        selector = {"matchLabels": {"is": "limit"}}
        await bound(
            server,
            policy("object.metadata.name != params.data.forbidden", paramKind=self.KIND),
            binding(paramRef={"selector": selector, "parameterNotFoundAction": "Allow"}),
        )
        for name in "ab":
            await refused(server, fakes.config_map(name))
        await server.client.create(fakes.config_map("c"))

    async def test_of_a_kind_that_is_not_there(self, server: fakes.FakeServer) -> None:
        kind = {"apiVersion": "example.com/v1", "kind": "Limit"}
        reference = {"name": "x", "parameterNotFoundAction": "Allow"}
        await bound(server, policy("true", paramKind=kind), binding(paramRef=reference))
        error = await refused(server, fakes.config_map("a"))
        assert "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'" in str(error)


async def test_bindings_narrow_it_down(server: fakes.FakeServer) -> None:
    resources = {"objectSelector": {"matchLabels": {"strict": "yes"}}}
    await bound(server, policy("false"), binding(matchResources=resources))
    await server.client.create(fakes.config_map("a"))
    strict = fakes.config_map("b")
    strict.metadata.labels = {"strict": "yes"}
    await refused(server, strict)


async def test_names_and_exclusions(server: fakes.FakeServer) -> None:
    rule = CONFIG_MAPS["resourceRules"][0]
    constraints = {"resourceRules": [rule], "excludeResourceRules": [{**rule, "resourceNames": ["free"]}]}
    await bound(server, policy("false", matchConstraints=constraints))
    await server.client.create(fakes.config_map("free"))
    await refused(server, fakes.config_map("a"))


async def test_conditions(server: fakes.FakeServer) -> None:
    conditions = [{"name": "not-system", "expression": "!object.metadata.name.startsWith('system-')"}]
    await bound(server, policy("false", matchConditions=conditions))
    await server.client.create(fakes.config_map("system-a"))
    await refused(server, fakes.config_map("a"))


async def test_the_authorizer(server: fakes.FakeServer) -> None:
    await server.client.create(
        rbac_v1.ClusterRole(
            metadata=meta_v1.ObjectMeta(name="writer"),
            rules=[rbac_v1.PolicyRule(verbs=["create"], apiGroups=[""], resources=["configmaps"])],
        )
    )
    await server.client.create(
        rbac_v1.ClusterRoleBinding(
            metadata=meta_v1.ObjectMeta(name="writer"),
            roleRef=rbac_v1.RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name="writer"),
            subjects=[rbac_v1.Subject(kind="User", name="alice", apiGroup="rbac.authorization.k8s.io")],
        )
    )
    await bound(
        server,
        policy(
            "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()",
            "authorizer.requestResource.check('create').allowed()",
            "authorizer.path('/healthz').check('get').allowed()",
            "!authorizer.serviceAccount('default', 'x').group('').resource('pods').check('get').allowed()",
        ),
    )
    await server.client.create(fakes.config_map("a"))
    with pytest.raises(errors.StatusError, match="secrets"):
        await server.as_user(fakes.ALICE).create(fakes.config_map("b"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"validations": [{"expression": "object.x ==="}]}, "spec.validations[0].expression: Invalid value: "),
        ({"validations": [{"expression": "object.x"}]}, "must evaluate to bool but got dyn"),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int',
        ),
        ({"validations": [{"expression": "params.x == 1"}]}, "undeclared reference to 'params"),
        (
            {"variables": [{"name": "x", "expression": "1 + 'a'"}], "validations": [{"expression": "true"}]},
            "spec.variables[0].expression: Invalid value: ",
        ),
        ({"validations": [{"expression": "variables.none == 1"}]}, "undeclared reference to 'variables"),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            "must evaluate to one of [string null_type] but got int",
        ),
        ({"matchConditions": [{"name": "n", "expression": "'a'"}], "validations": [{"expression": "true"}]}, "matchC"),
    ],
)
async def test_what_does_not_compile(server: fakes.FakeServer, given: dict[str, Any], why: str) -> None:
    error = await refused(server, policy(**given))
    assert error.reason == "Invalid"
    assert why in str(error)


async def test_a_loop_without_end_is_ended(server: fakes.FakeServer) -> None:
    await bound(server, policy("object.data.all(a, object.data.all(b, object.data.all(c, a + b + c != 'x')))"))
    many = fakes.config_map("a", **{f"k{index}": "v" for index in range(100)})
    error = await refused(server, many)
    assert str(error).endswith(
        "validation failed due to running out of cost budget, no further validation rules will be run"
    )


async def test_policies_cannot_lock_themselves_in(server: fakes.FakeServer) -> None:
    everything = {
        "resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]
    }
    await bound(server, policy("false", matchConstraints=everything))
    with pytest.raises(errors.StatusError):
        await server.client.create(fakes.config_map("a"))
    await server.client.delete(Policy, "p")


async def test_what_was_done_is_counted(server: fakes.FakeServer) -> None:
    await bound(server, policy("has(object.data)"), binding("Warn", "Audit"), binding(name="d"))
    ignoring = policy("object.data.none == 'x'", name="i", failurePolicy="Ignore")
    await bound(server, ignoring, binding(name="i", of="i"))
    await refused(server, fakes.config_map("a"))
    await server.client.create(fakes.config_map("a", k="v"))
    found = scrape.parse(await server.client.raw("/metrics"))
    name = "apiserver_validating_admission_policy_check"
    counted = {
        (labels["policy"], labels["policy_binding"], labels["error_type"], labels["enforcement_action"]): value
        for labels, value in ((dict(key[1]), value) for key, value in found.items() if key[0] == f"{name}_total")
    }
    assert counted == {
        ("p", "b", "invalid_error", "warn"): 1,
        ("p", "b", "invalid_error", "audit"): 1,
        ("p", "d", "invalid_error", "deny"): 1,
        ("i", "i", "invalid_error", "allow"): 2,
    }
    assert sum(value for key, value in found.items() if key[0] == f"{name}_duration_seconds_count") == 5
