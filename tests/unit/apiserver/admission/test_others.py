"""The plugins that are a few lines each."""

from __future__ import annotations

import asyncio
import base64
import pathlib
from collections.abc import Awaitable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.api import codecs, errors
from pybernetes.api.types import certificates_v1, core_v1, meta_v1, rbac_v1
from pybernetes.apiserver.admission import configuration
from tests.fakes import apiserver as fakes


def serving(*on: str, **fields: Any) -> fakes.FakeServer:
    return fakes.FakeServer(admission_on=frozenset(on), **fields)


async def refused(doing: Awaitable[Any]) -> str:
    with pytest.raises(errors.StatusError) as caught:
        await doing
    return str(caught.value)


async def allow(server: fakes.FakeServer, *rules: dict[str, list[str]]) -> None:
    """Alice may do it."""
    role = {"metadata": {"name": "alice"}, "rules": list(rules)}
    await server.client.create(codecs.from_tree(rbac_v1.ClusterRole, role))
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "alice"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "alice"},
        "subjects": [{"kind": "User", "name": "alice", "apiGroup": group}],
    }
    await server.client.create(codecs.from_tree(rbac_v1.ClusterRoleBinding, binding))


def signing_request(name: str, signer: str, group: str = "g") -> certificates_v1.CertificateSigningRequest:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), x509.NameAttribute(NameOID.COMMON_NAME, "me")]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    encoded = base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode()
    tree = {
        "metadata": {"name": name},
        "spec": {"request": encoded, "signerName": signer, "usages": ["client auth"]},
    }
    return codecs.from_tree(certificates_v1.CertificateSigningRequest, tree)


class TestSigners:
    async def test_approval_takes_a_right_to_the_signer(self) -> None:
        requests = "certificatesigningrequests/approval"
        async with serving() as server:
            await allow(
                server,
                {"verbs": ["*"], "apiGroups": ["certificates.k8s.io"], "resources": [requests]},
                {
                    "verbs": ["approve"],
                    "apiGroups": ["certificates.k8s.io"],
                    "resources": ["signers"],
                    "resourceNames": ["example.com/*"],
                },
            )
            alice = server.as_user(fakes.ALICE)
            for signer, is_allowed in (("example.com/a", True), ("example.org/a", False)):
                made = await server.client.create(signing_request(signer.replace("/", "-"), signer))
                approved = codecs.copy(made)
                approved.status.conditions = [
                    certificates_v1.CertificateSigningRequestCondition(type="Approved", status="True", reason="R")
                ]
                if is_allowed:
                    await alice.update(approved, subresource="approval")
                    continue
                told = await refused(alice.update(approved, subresource="approval"))
                assert told.endswith(f'user not permitted to approve requests with signerName "{signer}"')

    async def test_nobody_asks_for_masters(self) -> None:
        async with serving() as server:
            signer = "kubernetes.io/kube-apiserver-client"
            told = await refused(server.client.create(signing_request("a", signer, "system:masters")))
            assert told.endswith(f"use of {signer} signer with system:masters group is not allowed")
            await server.client.create(signing_request("b", signer))


async def test_always_deny() -> None:
    async with serving("AlwaysDeny", "AlwaysAdmit") as server:
        with pytest.raises(errors.StatusError, match="admission control is denying all modifications"):
            await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="n")))
        # What every cluster has is tried again, and the server is not ready meanwhile.
        assert (await server.ask("GET", "/readyz")).code == 500
        assert (await server.ask("GET", "/livez")).code == 200


async def test_always_pull_images() -> None:
    async with serving("AlwaysPullImages") as server:
        await server.account()
        wanted = fakes.pod("p")
        wanted.spec.containers[0].imagePullPolicy = "Never"
        assert (await server.client.create(wanted)).spec.containers[0].imagePullPolicy == "Always"


async def test_anti_affinity() -> None:
    async with serving("LimitPodHardAntiAffinityTopology") as server:
        await server.account()
        wanted = fakes.pod("p")
        term = {"topologyKey": "zone", "labelSelector": {}}
        affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        wanted.spec.affinity = codecs.from_tree(core_v1.Affinity, affinity)
        assert "has TopologyKey zone but only key kubernetes.io/hostname is allowed" in await refused(
            server.client.create(wanted)
        )


async def test_external_addresses() -> None:
    async with serving("DenyServiceExternalIPs") as server:
        spec = core_v1.ServiceSpec(ports=[core_v1.ServicePort(port=80)], externalIPs=["1.2.3.4"])
        service = core_v1.Service(metadata=meta_v1.ObjectMeta(name="s", namespace="default"), spec=spec)
        assert "Use of external IPs is denied by admission control" in await refused(server.client.create(service))


async def test_extended_resources() -> None:
    async with serving("ExtendedResourceToleration") as server:
        await server.account()
        wanted = fakes.pod("p")
        resources = {"limits": {"example.com/gpu": "1"}, "requests": {"example.com/gpu": "1", "cpu": "1"}}
        wanted.spec.containers[0].resources = codecs.from_tree(core_v1.ResourceRequirements, resources)
        made = await server.client.create(wanted)
        assert "example.com/gpu" in {toleration.key for toleration in made.spec.tolerations}


async def test_namespaces_come_by_themselves() -> None:
    async with serving("NamespaceAutoProvision", "NamespaceExists") as server:
        await server.client.create(fakes.config_map("a", "new"))
        assert (await server.client.get(core_v1.Namespace, "new")).status.phase == "Active"


async def test_node_selectors() -> None:
    given = {"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "pool=a", "n": "pool=b,disk=ssd"}}
    async with serving("PodNodeSelector", admission_configuration={"PodNodeSelector": given}) as server:
        await server.account()
        assert (await server.client.create(fakes.pod("p"))).spec.nodeSelector == {"pool": "a"}
        other = fakes.pod("q")
        other.spec.nodeSelector = {"pool": "x"}
        assert "conflicts with its namespace node label selector" in await refused(server.client.create(other))
        annotations = {"scheduler.alpha.kubernetes.io/node-selector": "pool=b"}
        await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="n", annotations=annotations)))
        await server.account(namespace="n")
        assert (await server.client.create(fakes.pod("p", "n"))).spec.nodeSelector == {"pool": "b"}
        wide = fakes.pod("q", "n")
        wide.spec.nodeSelector = {"arch": "arm"}
        assert "conflict with its namespace whitelist" in await refused(server.client.create(wide))


async def test_tolerations() -> None:
    given = {"default": [{"key": "d", "operator": "Exists"}]}
    async with serving(
        "PodTolerationRestriction",
        admission_configuration={"PodTolerationRestriction": given},
        admission_off=frozenset({"DefaultTolerationSeconds"}),
    ) as server:
        await server.account()
        assert [one.key for one in (await server.client.create(fakes.pod("p"))).spec.tolerations] == ["d"]
        annotations = {
            "scheduler.alpha.kubernetes.io/defaultTolerations": "[]",
            "scheduler.alpha.kubernetes.io/tolerationsWhitelist": '[{"key": "w", "operator": "Exists"}]',
        }
        await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="n", annotations=annotations)))
        await server.account(namespace="n")
        for key, is_allowed in (("w", True), ("x", False)):
            wanted = fakes.pod(key, "n")
            wanted.spec.tolerations = [core_v1.Toleration(key=key, operator="Exists")]
            if is_allowed:
                await server.client.create(wanted)
            else:
                assert "conflict with its namespace whitelist" in await refused(server.client.create(wanted))


async def test_event_rates() -> None:
    limits = {"limits": [{"type": "Namespace", "qps": 1, "burst": 2}]}

    def event(name: str, namespace: str = "default") -> core_v1.Event:
        meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
        about = core_v1.ObjectReference(namespace=namespace, name="x", kind="Pod")
        return core_v1.Event(metadata=meta, involvedObject=about)

    async with serving("EventRateLimit", admission_configuration={"EventRateLimit": limits}) as server:
        for name in "ab":
            await server.client.create(event(name))
        with pytest.raises(errors.StatusError, match="limit reached on type Namespace for key default") as caught:
            await server.client.create(event("c"))
        assert caught.value.code == 429
        await server.client.create(event("c", "kube-system"))
        await server.clock.advance(1.0)
        await server.client.create(event("c"))


async def test_owners() -> None:
    async with serving("OwnerReferencesPermissionEnforcement") as server:
        await allow(server, {"verbs": ["create", "update", "get"], "apiGroups": [""], "resources": ["configmaps"]})
        alice = server.as_user(fakes.ALICE)
        owner = await server.client.create(fakes.config_map("owner"))

        def owned(name: str, *, blocks: bool | None = None) -> core_v1.ConfigMap:
            made = fakes.config_map(name)
            made.metadata.ownerReferences = [
                meta_v1.OwnerReference(
                    apiVersion="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid, blockOwnerDeletion=blocks
                )
            ]
            return made

        await alice.create(owned("a"))
        assert "a resource you can't set finalizers on" in await refused(alice.create(owned("b", blocks=True)))
        changed = codecs.copy(await alice.create(fakes.config_map("c")))
        changed.metadata.ownerReferences = owned("c").metadata.ownerReferences
        assert "cannot set an ownerRef on a resource you can't delete" in await refused(alice.update(changed))


async def test_topology() -> None:
    async with serving() as server:
        await server.account()
        labels = {"topology.kubernetes.io/zone": "z", "other": "x"}
        await server.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n", labels=labels)))
        await server.client.create(fakes.pod("p"))
        target = {"kind": "Node", "name": "n"}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": target}
        assert (await server.ask("POST", "/api/v1/namespaces/default/pods/p/binding", binding)).code == 201
        bound = await server.client.get(core_v1.Pod, "p", "default")
        assert bound.metadata.labels == {"topology.kubernetes.io/zone": "z"}


async def test_a_quota_is_neither_exceeded_nor_wasted_by_many_at_once() -> None:
    async with serving() as server:
        quota = core_v1.ResourceQuota(metadata=meta_v1.ObjectMeta(name="q", namespace="default"))
        quota.spec.hard = codecs.from_tree(core_v1.ResourceQuotaSpec, {"hard": {"count/configmaps": "40"}}).hard
        made = codecs.copy(await server.client.create(quota))
        made.status.hard = made.spec.hard
        made.status.used = codecs.from_tree(core_v1.ResourceQuotaSpec, {"hard": {"count/configmaps": "0"}}).hard
        await server.client.update(made, subresource="status")
        doing = (server.client.create(fakes.config_map(f"c{index}")) for index in range(60))
        found = await asyncio.gather(*doing, return_exceptions=True)
        failed = [one for one in found if isinstance(one, errors.StatusError)]
        assert len(failed) == 20
        assert all("exceeded quota: q" in str(one) for one in failed)
        stored = await server.client.get(core_v1.ResourceQuota, "q", "default")
        assert str(stored.status.used["count/configmaps"]) == "40"


class TestConfiguration:
    def write(self, folder: pathlib.Path, text: str) -> pathlib.Path:
        path = folder / "admission.yaml"
        path.write_text(f"apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n{text}")
        return path

    def test_inline_and_by_path(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "events.yaml").write_text("limits: [{type: Server, qps: 5, burst: 10}]")
        text = "- name: PodSecurity\n  configuration: {defaults: {enforce: baseline}}\n"
        path = self.write(tmp_path, text + "- {name: EventRateLimit, path: events.yaml}\n")
        assert configuration.load(path) == {
            "PodSecurity": {"defaults": {"enforce": "baseline"}},
            "EventRateLimit": {"limits": [{"type": "Server", "qps": 5, "burst": 10}]},
        }

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("- {name: PodSecurity, configuration: {defaults: {warn: hard}}}", 'defaults.warn: Invalid value: "hard"'),
            ("- {name: EventRateLimit, configuration: {limits: [{type: X}]}}", r"limits\[0\].type: Unsupported value"),
            ("- {name: EventRateLimit}", "limits: Invalid value: "),
            ("- {}", "plugins have names"),
        ],
    )
    def test_what_is_wrong(self, tmp_path: pathlib.Path, text: str, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            configuration.load(self.write(tmp_path, text))

    def test_of_another_kind(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "x"
        path.write_text("apiVersion: v1\nkind: Pod")
        with pytest.raises(ValueError, match="v1, Kind=Pod is not an AdmissionConfiguration"):
            configuration.load(path)
