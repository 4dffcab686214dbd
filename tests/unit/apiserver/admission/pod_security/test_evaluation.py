from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission.pod_security import evaluation, levels

HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


PRIVILEGED = {"privileged": True}
SYSCTLS = [{"name": "a", "value": "1"}, {"name": "net.ipv4.tcp_rmem", "value": "1"}]
ENFORCED = f"{levels.PREFIX}enforce"


def container(name: str = "c", context: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "i", **({} if context is None else {"securityContext": context}), **more}


def hardened(name: str = "c", **more: Any) -> dict[str, Any]:
    return container(name, {**HARDENED, **more})


def found(standard: str, annotations: dict[str, str] | None = None, **spec: Any) -> str:
    level, _, version = standard.partition(":")
    minor = levels.minor_of(version or "latest")
    assert minor is not None
    pod = codecs.from_tree(core_v1.PodSpec, {"containers": [hardened()], **spec})
    meta = meta_v1.ObjectMeta(annotations=annotations or {})
    return evaluation.told(evaluation.evaluate(levels.Standard(level, minor), meta, pod))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ""),
        (
            {"hostPID": True, "hostIPC": True},
            "host namespaces (hostPID=true, hostIPC=true)",
        ),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {
                "containers": [
                    container("a", ports=[{"containerPort": 1, "hostPort": 9}]),
                    container("b", ports=[{"containerPort": 2, "hostPort": 10}]),
                ]
            },
            'hostPort (containers "a", "b" use hostPorts 10, 9)',
        ),
        (
            {"containers": [container(livenessProbe={"httpGet": {"host": "h", "port": 1}})]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
        ),
        (
            {
                "initContainers": [container("i", PRIVILEGED)],
                "containers": [container("c", PRIVILEGED)],
            },
            'privileged (containers "i", "c" must not set securityContext.privileged=true)',
        ),
        (
            {"containers": [container("c", {"capabilities": {"add": ["NET_RAW", "CHOWN", "SYS_ADMIN"]}})]},
            (
                'non-default capabilities (container "c" must not include "NET_RAW", "SYS_ADMIN" in '
                "securityContext.capabilities.add)"
            ),
        ),
        (
            {"containers": [container("c", {"procMount": "Unmasked"})]},
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        ({"hostUsers": False, "containers": [container("c", {"procMount": "Unmasked"})]}, ""),
        (
            {
                "securityContext": {"seLinuxOptions": {"type": "x", "user": "u"}},
                "containers": [container("c", {"seLinuxOptions": {"role": "r"}})],
            },
            (
                'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "x"; '
                "user may not be set; role may not be set)"
            ),
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            {
                "securityContext": {
                    "sysctls": [{"name": "a", "value": "1"}, {"name": "net.ipv4.tcp_rmem", "value": "1"}]
                }
            },
            "forbidden sysctls (a)",
        ),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            {"containers": [container("c", {"appArmorProfile": {"type": "Unconfined"}})]},
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
        ),
    ],
)
def test_baseline(spec: dict[str, Any], expected: str) -> None:
    assert found("baseline", **spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ""),
        (
            {"containers": [container()]},
            (
                'allowPrivilegeEscalation != false (container "c" must set '
                "securityContext.allowPrivilegeEscalation=false), "
                'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
                'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
                'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
                '"RuntimeDefault" or "Localhost")'
            ),
        ),
        (
            {"containers": [hardened(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]})]},
            'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
        ),
        (
            {"volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "nfs": {"server": "s", "path": "/"}}]},
            'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")',
        ),
        ({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "projected": {}}]}, ""),
        (
            {"securityContext": {"runAsNonRoot": False}},
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
        ),
        (
            {"securityContext": {"runAsUser": 0}, "containers": [hardened(runAsUser=0)]},
            'runAsUser=0 (pod and container "c" must not set runAsUser=0)',
        ),
        ({"hostUsers": False, "securityContext": {"runAsUser": 0}}, ""),
        (
            {
                "os": {"name": "windows"},
                "containers": [container("c", {"runAsNonRoot": True})],
            },
            "",
        ),
    ],
)
def test_restricted(spec: dict[str, Any], expected: str) -> None:
    assert found("restricted", **spec) == expected


@pytest.mark.parametrize(
    ("standard", "spec", "is_allowed"),
    [
        ("restricted:v1.7", {"containers": [container("c", {"runAsNonRoot": True})]}, True),
        ("restricted:v1.8", {"containers": [container("c", {"runAsNonRoot": True})]}, False),
        ("restricted:v1.22", {"securityContext": {"runAsUser": 0}}, True),
        ("restricted:v1.23", {"securityContext": {"runAsUser": 0}}, False),
        ("restricted:v1.34", {"hostUsers": False, "securityContext": {"runAsUser": 0}}, False),
        ("baseline:v1.31", {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}}, False),
        ("baseline:v1.33", {"containers": [container(livenessProbe={"tcpSocket": {"host": "h", "port": 1}})]}, True),
        ("baseline:v1.99", {"containers": [container(livenessProbe={"tcpSocket": {"host": "h", "port": 1}})]}, False),
        ("baseline:v1.30", {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, False),
        ("baseline:v1.31", {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, True),
        ("privileged", {"hostNetwork": True}, True),
    ],
)
def test_versions(standard: str, spec: dict[str, Any], is_allowed: bool) -> None:
    assert (found(standard, **spec) == "") == is_allowed


def test_annotations() -> None:
    seccomp = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    told = 'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    assert found("baseline:v1.18", seccomp) == told
    assert found("baseline:v1.19", seccomp) == ""
    armor = {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}
    assert found("baseline", armor).startswith("forbidden AppArmor profile (annotation must not set AppArmor")


class TestLabels:
    def test_nothing_said(self) -> None:
        assert levels.of({"a": "b"}, levels.Policy()) == (levels.Policy(), [])

    def test_who_enforces_warns(self) -> None:
        policy, _ = levels.of({ENFORCED: "baseline", f"{ENFORCED}-version": "v1.30"}, levels.Policy())
        assert [str(standard) for standard in policy] == ["baseline:v1.30", "privileged:latest", "baseline:v1.30"]
        policy, _ = levels.of({ENFORCED: "baseline", f"{levels.PREFIX}warn": "privileged"}, levels.Policy())
        assert str(policy.warn) == "privileged:latest"

    def test_wrong_ones(self) -> None:
        labels = {ENFORCED: "strict", f"{levels.PREFIX}warn-version": "1.2"}
        policy, problems = levels.of(labels, levels.Policy())
        assert str(policy.enforce) == "restricted:latest"
        assert [str(problem) for problem in problems] == [
            (
                'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": '
                "must be one of privileged, baseline, restricted"
            ),
            (
                'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": '
                'must be "latest" or "v1.x"'
            ),
        ]
