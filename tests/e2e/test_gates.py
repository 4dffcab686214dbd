"""What decides whether a request passes, as somebody with the stock kubectl meets it."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e import harness

RESTRICTED = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
    '"Localhost")'
)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "x"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def test_pod_security(kubectl_simulated: harness.Kubectl) -> None:
    kubectl = kubectl_simulated
    kubectl(
        "label", "namespace", kubectl.namespace,
        "pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted",
    )  # fmt: skip
    refused = kubectl.apply(pod("p"), code=1)
    assert f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {RESTRICTED}' in refused
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    warned = kubectl.result("create", "-f", "-", stdin=json.dumps(deployment))
    assert warned.code == 0
    assert f'Warning: would violate PodSecurity "restricted:latest": {RESTRICTED}' in warned.err
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    kubectl.apply(pod("q", containers=[{"name": "c", "image": "x", "securityContext": secure}]))


def test_an_admission_policy(kubectl_simulated: harness.Kubectl) -> None:
    kubectl = kubectl_simulated
    name = f"few-{kubectl.namespace}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}}
    version = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    policy = version | {
        "kind": "ValidatingAdmissionPolicy",
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "validations": [
                {
                    "expression": "object.spec.replicas <= 5",
                    "messageExpression": "'at most 5, not ' + string(object.spec.replicas)",
                }
            ],
        },
    }
    binding = version | {
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    kubectl.apply(policy, binding)
    try:
        refused = kubectl("create", "deployment", "many", "--image=x", "--replicas=9", code=1)
        assert f"deployments.apps \"many\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding" in refused
        assert "denied request: at most 5, not 9" in refused
        kubectl("create", "deployment", "few", "--image=x", "--replicas=2")
    finally:
        kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def test_who_may_do_what(simulated: harness.Cluster, kubectl_simulated: harness.Kubectl) -> None:
    kubectl, namespace = kubectl_simulated, kubectl_simulated.namespace
    assert "no" in kubectl("auth", "can-i", "list", "pods", "--as=carol", code=1)
    kubectl("create", "role", "looks", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "looks", "--role=looks", "--user=carol")
    assert "yes" in kubectl("auth", "can-i", "list", "pods", "--as=carol")
    assert "no" in kubectl("auth", "can-i", "list", "pods", "--as=carol", "-n", "default", code=1)
    listed = kubectl("auth", "can-i", "--list", "--as=carol")
    assert any(line.split() == ["pods", "[]", "[]", "[get", "list]"] for line in listed.splitlines())
    who = kubectl("auth", "whoami", "--as=carol", "--as-group=team", "-o", "json")
    assert json.loads(who)["status"]["userInfo"] == {"username": "carol", "groups": ["team", "system:authenticated"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "looks", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]}],
    }
    assert "reconciled" in kubectl("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    assert "yes" in kubectl("auth", "can-i", "watch", "pods", "--as=carol")
    # She may not give away what she has not.
    kubectl("create", "role", "gives", "--verb=create", "--resource=roles,rolebindings")
    kubectl("create", "rolebinding", "gives", "--role=gives", "--user=carol")
    refused = kubectl("create", "role", "more", "--verb=delete", "--resource=pods", "--as=carol", code=1)
    assert "is attempting to grant RBAC permissions not currently held" in refused


def test_flow_control_is_told(simulated: harness.Cluster) -> None:
    dumped = simulated.kubectl("get", "--raw", "/debug/api_priority_and_fairness/dump_priority_levels")
    assert dumped.startswith("PriorityLevelName,\tActiveQueues")
    assert "\nexempt,\t" in dumped
    listed = simulated.kubectl("get", "flowschemas")
    assert any(line.split()[0] == "exempt" and line.split()[-1] == "False" for line in listed.splitlines())
