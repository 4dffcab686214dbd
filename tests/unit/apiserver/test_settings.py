"""What an API server can be told: authorization modes, plugins that are off, privileged containers, versions."""

from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.api.types import apps_v1, authorization_v1, batch_v1, core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import hosts
from pybernetes.apiserver.admission import table as admission_table
from pybernetes.apiserver.authz import authorizer
from pybernetes.kits.chance import Chance
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"


def privileged() -> core_v1.PodSpec:
    context = core_v1.SecurityContext(privileged=True)
    return core_v1.PodSpec(
        containers=[
            core_v1.Container(name="a", image="x"),
            core_v1.Container(name="b", image="x", securityContext=context),
        ]
    )


def template() -> core_v1.PodTemplateSpec:
    spec = privileged()
    spec.restartPolicy = "Never"
    return core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels={"a": "b"}), spec=spec)


class TestAuthorization:
    async def test_always_allow(self) -> None:
        async with fakes.FakeServer(authorization=("AlwaysAllow",)) as server:
            assert (await server.ask("GET", MAPS, token="alice")).code == 200
            asked = authorization_v1.SelfSubjectRulesReview(
                spec=authorization_v1.SelfSubjectRulesReviewSpec(namespace="default")
            )
            review = await server.as_user(fakes.ALICE).create(asked)
            assert review.status.resourceRules[0].verbs == ["*"]

    async def test_always_deny(self) -> None:
        async with fakes.FakeServer(authorization=("AlwaysDeny", "RBAC")) as server:
            answer = await server.ask("GET", MAPS, token="alice")
            assert answer.code == 403
            assert answer.message.endswith('in the namespace "default": Everything is forbidden.')
            assert (await server.ask("GET", MAPS, token="admin")).code == 200

    @pytest.mark.parametrize(("modes", "code"), [(("RBAC",), 403), (("Node", "RBAC"), 200), (("Node",), 200)])
    async def test_nodes(self, modes: tuple[str, ...], code: int) -> None:
        node = requests.User("system:node:n", groups=("system:nodes", "system:authenticated"))
        tokens = {**fakes.TOKENS, "node": node}
        async with fakes.FakeServer(authorization=modes, tokens=tokens) as server:
            assert (await server.ask("GET", "/api/v1/services", token="node")).code == code

    def test_unknown_modes(self) -> None:
        with pytest.raises(ValueError, match="not a valid mode"):
            fakes.FakeServer(authorization=("Magic",))


class TestAdmission:
    async def test_plugins_are_off(self) -> None:
        async with fakes.FakeServer(admission_off=frozenset({"ServiceAccount", "Priority"})) as server:
            made = await server.client.create(fakes.pod("p"))
            assert made.spec.priority is None
            assert made.spec.serviceAccountName == ""

    async def test_names_are_those_of_the_plugins(self) -> None:
        async with fakes.FakeServer() as server:
            host = hosts.Host(
                registry=server.api.registry,
                authorizer=authorizer.Superusers(),
                webhooks=server.api.webhooks,
                client=lambda: server.client,
                configuration={"ImagePolicyWebhook": {"imagePolicy": {"kubeConfigFile": "none"}}},
                clock=server.clock,
                chance=Chance(1),
            )
            every = admission_table.plugins(host, on=admission_table.NAMES)
            assert [one.name for one in every] == [name for name, make in admission_table.TABLE if make is not None]
            usual = {one.name for one in admission_table.plugins(host)}
            assert "ResourceQuota" in usual
            assert not usual & admission_table.DEFAULT_OFF

    async def test_privileged_containers(self) -> None:
        meta = meta_v1.ObjectMeta(name="p", namespace="default")
        selector = meta_v1.LabelSelector(matchLabels={"a": "b"})
        deployed = template()
        deployed.spec.restartPolicy = "Always"
        refused = {
            "spec": core_v1.Pod(metadata=meta, spec=privileged()),
            "template.spec": core_v1.PodTemplate(metadata=meta, template=template()),
            "spec.template.spec": apps_v1.Deployment(
                metadata=meta, spec=apps_v1.DeploymentSpec(selector=selector, template=deployed)
            ),
            "spec.jobTemplate.spec.template.spec": batch_v1.CronJob(
                metadata=meta,
                spec=batch_v1.CronJobSpec(
                    schedule="@daily",
                    jobTemplate=batch_v1.JobTemplateSpec(spec=batch_v1.JobSpec(template=template())),
                ),
            ),
        }
        async with fakes.FakeServer(allow_privileged=False) as server:
            await server.account()
            for path, obj in refused.items():
                with pytest.raises(errors.StatusError) as caught:
                    await server.client.create(obj)
                words = f"{path}.containers[1].securityContext.privileged: Forbidden: disallowed by cluster policy"
                assert str(caught.value).endswith(f'"p" is invalid: {words}')
                assert caught.value.code == 422
            assert await server.client.create(fakes.pod("q"))
        async with fakes.FakeServer() as server:
            await server.account()
            assert await server.client.create(refused["spec"])


class TestVersions:
    async def test_others_are_switched_on(self) -> None:
        async with fakes.FakeServer(runtime_config={"apps/v1beta1": True, "batch/v1": False}) as server:
            assert (await server.ask("GET", "/apis/apps/v1beta1/deployments")).code == 200
            assert (await server.ask("GET", "/apis/batch/v1/jobs")).code == 404

    async def test_what_the_server_itself_needs_may_be_off(self) -> None:
        config = {"api/all": False, "api/v1": True}
        async with fakes.FakeServer(runtime_config=config, authorization=("AlwaysAllow",)) as server:
            assert (await server.ask("GET", "/api/v1/namespaces/kube-system", token="alice")).code == 200
            assert (await server.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")).code == 404
