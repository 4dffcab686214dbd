from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import pods

NOW = 1_767_225_600.0 + 300  # five minutes into 2026
START = "2026-01-01T00:00:00Z"


def pod(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any) -> core_v1.Pod:
    tree = {
        "metadata": {"name": "web", "namespace": "d", "creationTimestamp": START, **meta},
        "spec": spec or {"containers": [{"name": "c", "image": "i:1"}]},
        "status": status or {},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def made(spec: dict[str, Any] | None = None) -> core_v1.Pod:
    made = pod(spec)
    pods.default(made)
    pods.prepare_create(made)
    return made


def test_defaults() -> None:
    container = {
        "name": "c",
        "image": "busybox",
        "ports": [{"containerPort": 80}],
        "livenessProbe": {"httpGet": {"port": 80}},
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }
    spec = codecs.to_tree(made({"containers": [container], "volumes": [{"name": "v"}]}).spec)
    assert spec == {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "imagePullPolicy": "Always",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "livenessProbe": {
                    "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": {"example.com/x": "1"}, "limits": {"example.com/x": "1"}}], "BestEffort"),
    ],
)
def test_quality_of_service(resources: list[Any], expected: str) -> None:
    containers = [{"name": f"c{i}", "image": "i", "resources": r} for i, r in enumerate(resources)]
    assert made({"containers": containers}).status.qosClass == expected


def problems(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in pods.validate(made(spec))]


def one(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", **container}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, ["spec.containers: Required value"]),
        (one(), []),
        (one(image=""), ["spec.containers[0].image: Required value"]),
        ({"containers": [{"name": "c", "image": "i"}] * 2}, ['spec.containers[1].name: Duplicate value: "c"']),
        (
            one(imagePullPolicy="Sometimes"),
            [
                ('spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: '
                '"Always", "IfNotPresent", "Never"')
            ],
        ),
        (one(ports=[{}]), ["spec.containers[0].ports[0].containerPort: Required value"]),
        (
            one(ports=[{"containerPort": 70000}]),
            [
                ("spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, "
                "inclusive")
            ],
        ),
        (one(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
         ['spec.containers[0].volumeMounts[0].name: Not found: "v"']),
        (one(livenessProbe={"periodSeconds": 1}),
         ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]),
        (one(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
         ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1']),
        (one(resources={"limits": {"gpus": "1"}}),
         [
             ('spec.containers[0].resources.limits[gpus]: Invalid value: "gpus": must be a standard resource type or '
             "fully qualified"),
             ('spec.containers[0].resources.limits[gpus]: Invalid value: "gpus": must be a standard resource for '
             "containers"),
             ('spec.containers[0].resources.requests[gpus]: Invalid value: "gpus": must be a standard resource type or '
             "fully qualified"),
             ('spec.containers[0].resources.requests[gpus]: Invalid value: "gpus": must be a standard resource for '
             "containers"),
         ]),
        (one(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
         ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty']),
        (one(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}]),
         [('spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.nope": error converting '
          "fieldPath: field label not supported: metadata.nope")]),
        ({**one(), "restartPolicy": "Maybe"},
         ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"']),
        ({**one(), "tolerations": [{"effect": "NoExecute"}]},
         [('spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means '
          '"match all values and all keys"')]),
        ({**one(), "initContainers": [{"name": "i", "image": "i", "lifecycle": {}}]},
         [("spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without "
          "restartPolicy=Always")]),
        ({**one(), "volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
         ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]),
        ({**one(), "dnsPolicy": "None"},
         ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        ({**one(), "activeDeadlineSeconds": 0},
         ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]),
    ],
)  # fmt: skip
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    got = problems(spec)
    assert [text for text in got if "volumes[0].emptyDir" not in text] == expected


def test_updates_may_change_images_only() -> None:
    old, new = made(), made()
    new.spec.containers[0].image = "i:2"
    assert pods.KIND.validate_update(new, old) == []
    new.spec.containers[0].command = ["x"]
    (problem,) = pods.KIND.validate_update(new, old)
    assert str(problem).startswith(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
    )
    assert '+      "command": [' in problem.message
    new.spec.containers.append(codecs.copy(new.spec.containers[0]))
    (problem,) = pods.KIND.validate_update(new, old)
    assert str(problem) == "spec.containers: Forbidden: pod updates may not add or remove containers"


def test_a_gated_pod_may_be_narrowed_down() -> None:
    spec = {**one(), "schedulingGates": [{"name": "a/b"}], "nodeSelector": {"x": "1"}}
    old, new = made(spec), made(spec)
    assert old.status.conditions[0].reason == "SchedulingGated"
    new.spec.nodeSelector["y"] = "2"
    new.spec.schedulingGates = []
    assert pods.KIND.validate_update(new, old) == []
    new.status = old.status
    pods.prepare_update(new, old)
    assert (len(new.status.conditions), len(old.status.conditions)) == (0, 1)
    new.spec.nodeSelector.pop("x")
    assert "only additions to spec.nodeSelector are allowed" in str(pods.KIND.validate_update(new, old)[0])


def test_finished_containers_stay_finished() -> None:
    spec = {**one(), "restartPolicy": "Never"}
    ended = {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]}
    running = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}
    (problem,) = pods.KIND.validate_status(pod(spec, running), pod(spec, ended))
    assert str(problem) == (
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    )


def container(name: str = "c", *, ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    last = {"terminated": {"exitCode": 1, "finishedAt": START}} if restarts else {}
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": last}


RUNNING = {"running": {"startedAt": START}}


@pytest.mark.parametrize(
    ("status", "ready", "text", "restarts"),
    [
        ({"phase": "Pending"}, "0/1", "Pending", "0"),
        ({"phase": "Running", "containerStatuses": [container(ready=True, **RUNNING)]}, "1/1", "Running", "0"),
        (
            {"phase": "Running", "containerStatuses": [container(restarts=3, waiting={"reason": "CrashLoopBackOff"})]},
            "0/1",
            "CrashLoopBackOff",
            "3 (5m ago)",
        ),
        (
            {"phase": "Succeeded", "containerStatuses": [container(terminated={"exitCode": 0, "reason": "Completed"})]},
            "0/1",
            "Completed",
            "0",
        ),
        ({"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 2})]}, "0/1", "ExitCode:2", "0"),
        (
            {"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 137, "signal": 9})]},
            "0/1",
            "Signal:9",
            "0",
        ),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted", "0"),
    ],
)
def test_row(status: dict[str, Any], ready: str, text: str, restarts: str) -> None:
    cells = list(pods.row(pod(status=status), NOW))
    assert cells[:5] == ["web", ready, text, restarts, "5m"]
    assert cells[5:] == ["<none>", "<none>", "<none>", "<none>"]


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        ([container("i", **RUNNING)], "Init:0/1"),
        ([container("i", waiting={"reason": "ImagePullBackOff"})], "Init:ImagePullBackOff"),
        ([container("i", waiting={"reason": "PodInitializing"})], "Init:0/1"),
        ([container("i", terminated={"exitCode": 1, "reason": "Error"})], "Init:Error"),
        ([container("i", terminated={"exitCode": 1})], "Init:ExitCode:1"),
    ],
)
def test_row_while_initialising(statuses: list[Any], text: str) -> None:
    spec = {**one(), "initContainers": [{"name": "i", "image": "i"}]}
    assert list(pods.row(pod(spec, {"phase": "Pending", "initContainerStatuses": statuses}), NOW))[2] == text


def test_row_of_a_pod_being_deleted() -> None:
    going = pod(status={"phase": "Running"}, deletionTimestamp=START)
    assert list(pods.row(going, NOW))[2] == "Terminating"
    lost = pod(status={"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=START)
    assert list(pods.row(lost, NOW))[2] == "Unknown"


def test_warnings() -> None:
    spec = one(env=[{"name": "A"}, {"name": "A"}], ports=[{"containerPort": 80}, {"containerPort": 80}])
    texts = list(pods.KIND.warnings(made(spec)))
    assert texts == [
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
    ]


def test_keys_of_labels_become_selectors() -> None:
    web = {"matchLabels": {"app": "web"}}
    term = {"topologyKey": "zone", "labelSelector": web, "matchLabelKeys": ["tier", "x"], "mismatchLabelKeys": ["app"]}
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["tier"]}
    spec = {
        "containers": [{"name": "c", "image": "i:1"}],
        "affinity": {
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]
            },
        },
        "topologySpreadConstraints": [spread | {"labelSelector": web}, spread],
    }
    made = pod(spec, labels={"app": "web", "tier": "1"})
    pods.prepare_create(made)
    tier = {"key": "tier", "operator": "In", "values": ["1"]}
    own = {"key": "app", "operator": "NotIn", "values": ["web"]}
    tree = codecs.to_tree(made.spec)
    [needed] = tree["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    [disliked] = tree["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert needed["labelSelector"] == web | {"matchExpressions": [tier, own]}
    assert disliked["podAffinityTerm"]["labelSelector"] == web | {"matchExpressions": [tier, own]}
    first, second = tree["topologySpreadConstraints"]
    assert first["labelSelector"] == web | {"matchExpressions": [tier]}
    assert "labelSelector" not in second  # it matches nothing, and goes on to
