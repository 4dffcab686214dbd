"""What the stock kubectl reads: documents, lists, watches, waits."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.e2e import harness, objects


@pytest.fixture
def maps(kubectl_simulated: harness.Kubectl) -> harness.Kubectl:
    """Five config maps, labelled alternately."""
    made = []
    for number in range(5):
        obj = objects.config_map(f"m{number}", size=str(5 - number))
        obj["metadata"]["labels"] = {"parity": "odd" if number % 2 else "even"}
        made.append(obj)
    kubectl_simulated.apply(*made)
    return kubectl_simulated


def _names(text: str) -> list[str]:
    """Of `get -o name`, without what every namespace has."""
    return [line.partition("/")[2] for line in text.split() if not line.endswith("/kube-root-ca.crt")]


class TestDocuments:
    def test_explain(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        text = kubectl("explain", "pod.spec.containers")
        assert text.startswith("KIND:       Pod\nVERSION:    v1\n")
        assert "FIELD: containers <[]Container>" in text
        assert "  image\t<string>" in text
        assert "-required-" in text
        text = kubectl("explain", "deployments", "--recursive")
        assert "GROUP:      apps" in text
        assert "          matchLabels\t<map[string]string>" in text
        assert "successThreshold\t<integer>" in text
        assert "FIELD: maxSurge <IntOrString>" in kubectl("explain", "deploy.spec.strategy.rollingUpdate.maxSurge")
        assert 'field "nonsense" does not exist' in kubectl("explain", "pod.spec.nonsense", code=1)
        assert "VERSION:    v1\n" in kubectl("explain", "hpa", "--api-version=autoscaling/v1")
        assert "ClusterIP" in kubectl("explain", "service.spec.type")

    def test_what_is_served(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        rows = {row.split()[0]: row.split() for row in kubectl("api-resources", "--no-headers").splitlines()}
        assert rows["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
        assert rows["nodes"] == ["nodes", "no", "v1", "false", "Node"]
        named = kubectl("api-resources", "--api-group=batch", "-o", "name", "--verbs=list", "--namespaced=true")
        assert named.split() == ["cronjobs.batch", "jobs.batch"]
        assert "pods" in kubectl("api-resources", "--categories=all", "-o", "name").split()
        wide = kubectl("api-resources", "--api-group=apps", "-o", "wide", "--sort-by=name", "--no-headers")
        assert wide.splitlines()[0].split()[:4] == ["controllerrevisions", "apps/v1", "true", "ControllerRevision"]
        assert "create,delete,deletecollection,get,list,patch,update,watch" in wide
        versions = kubectl("api-versions").split()
        assert {"v1", "apps/v1", "batch/v1", "apiextensions.k8s.io/v1"} <= set(versions)
        assert versions == sorted(versions)

    def test_raw_paths(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        assert kubectl("get", "--raw", "/readyz") == "ok"
        assert "[+]ping ok" in kubectl("get", "--raw", "/livez?verbose")
        assert json.loads(kubectl("get", "--raw", "/version"))["gitVersion"].startswith("v1.36")
        namespaces = json.loads(
            kubectl("get", "--raw", "/api/v1/namespaces?labelSelector=kubernetes.io/metadata.name=default")
        )
        assert [item["metadata"]["name"] for item in namespaces["items"]] == ["default"]
        assert json.loads(kubectl("get", "--raw", "/openapi/v2"))["swagger"] == "2.0"
        assert "apis/apps/v1" in json.loads(kubectl("get", "--raw", "/openapi/v3"))["paths"]
        assert "apiserver_request_total" in kubectl("get", "--raw", "/metrics")
        assert "the server could not find the requested resource" in kubectl("get", "--raw", "/nowhere", code=1)

    def test_who_may_do_what(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        assert kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
        kubectl("create", "serviceaccount", "robot")
        account = f"system:serviceaccount:{kubectl.namespace}:robot"
        assert kubectl("auth", "can-i", "get", "pods", "--as", account, code=1).startswith("no")
        kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
        kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:robot")
        harness.until(lambda: kubectl("auth", "can-i", "get", "pods/log", "--as", account) == "yes\n")
        rows = kubectl("auth", "can-i", "--list", "--as", account, "--no-headers").splitlines()
        assert any(row.split()[0] == "pods" and "[get list]" in row for row in rows)
        assert account in kubectl("auth", "whoami", "--as", account)


class TestLists:
    def test_in_chunks(self, maps: harness.Kubectl) -> None:
        asked = maps.result("get", "configmaps", "--chunk-size=2", "-o", "name", "-v=6")
        assert sorted(_names(asked.out)) == ["m0", "m1", "m2", "m3", "m4"]
        pages = [line for line in asked.err.splitlines() if "limit=2" in line]
        assert len(pages) == 3
        assert sum("continue=" in line for line in pages) == 2

    def test_sorted(self, maps: harness.Kubectl) -> None:
        rows = maps("get", "cm", "-l", "parity", "--sort-by=.data.size", "-o", "name")
        assert _names(rows) == ["m4", "m3", "m2", "m1", "m0"]
        created = maps("get", "configmaps", "--sort-by=.metadata.creationTimestamp", "--no-headers")
        assert len(created.splitlines()) == 6

    def test_selected(self, maps: harness.Kubectl) -> None:
        assert _names(maps("get", "cm", "--field-selector=metadata.name=m3", "-o", "name")) == ["m3"]
        assert _names(maps("get", "cm", "-l", "parity in (odd),parity!=even", "-o", "name")) == ["m1", "m3"]
        rest = maps("get", "cm", "--field-selector=metadata.name!=m3", "-l", "parity=odd", "-o", "name")
        assert _names(rest) == ["m1"]
        pods = maps("get", "pods", "--field-selector=status.phase!=Running,spec.nodeName=", "-o", "name")
        assert pods == ""
        words = maps("get", "cm", "--field-selector=data.size=1", code=1)
        assert "field label not supported: data.size" in words
        assert "unable to parse requirement" in maps("get", "cm", "-l", "a==b==c", code=1)

    def test_columns(self, maps: harness.Kubectl) -> None:
        rows = maps("get", "cm", "-l", "parity=odd", "-o", "custom-columns=N:.metadata.name,S:.data.size").splitlines()
        assert [row.split() for row in rows] == [["N", "S"], ["m1", "4"], ["m3", "2"]]
        assert maps("get", "cm", "m1", "-L", "parity", "--show-kind", "--no-headers").split()[::3] == [
            "configmap/m1", "odd",
        ]  # fmt: skip
        assert maps("get", "cm", "m0", "-o", "go-template={{.data.size}}") == "5"
        assert "error when" not in maps("describe", "cm", "m0")


class TestWatches:
    def test_wide_rows(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        with kubectl.running("get", "pods", "--watch", "-o", "wide") as watching:
            kubectl.apply(objects.pod("p"))
            rows = _rows(watching, until="Running")
        assert rows[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
        assert rows[0].split()[5:] == ["IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
        assert any("Pending" in row or "ContainerCreating" in row for row in rows)
        assert rows[-1].split()[1:3] == ["1/1", "Running"]

    def test_only_what_changes(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        kubectl.apply(objects.config_map("before"))
        words = ("get", "cm", "--watch-only", "--output-watch-events", "--field-selector=metadata.name=x")
        with kubectl.running(*words) as watching:
            got: list[str] = []
            reading = threading.Thread(target=lambda: got.extend(_rows(watching, until="DELETED")), daemon=True)
            reading.start()
            # Until the watch is there, an object comes and goes unseen.
            for _ in range(20):
                kubectl.apply(objects.config_map("x"), objects.config_map("y"))
                kubectl.apply(objects.config_map("x", a="b"))
                kubectl("delete", "cm", "x", "y")
                reading.join(0.2)
                if not reading.is_alive():
                    break
        events = [row.split()[:2] for row in got]
        assert events[0] == ["EVENT", "NAME"]
        assert {row[1] for row in events[1:]} == {"x"}
        assert events[-1] == ["DELETED", "x"]

    def test_events(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        kubectl.apply(objects.pod("p"))
        kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=20s")
        harness.until(lambda: "Started" in kubectl("events", "--for=pod/p"))
        rows = kubectl("events", "--for=pod/p", "--types=Normal", "--no-headers").splitlines()
        reasons = [row.split()[2] for row in rows]
        assert reasons[0] == "Scheduled"
        assert {"Created", "Started"} <= set(reasons)
        named = kubectl("get", "events", "--field-selector=involvedObject.name=p,reason=Scheduled", "-o", "name")
        assert len(named.split()) == 1
        assert "Successfully assigned" in kubectl("describe", "pod", "p")


class TestWaits:
    def test_for_a_condition(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        kubectl.apply(objects.deployment("web", replicas=2))
        assert "condition met" in kubectl("wait", "deploy/web", "--for=condition=Available", "--timeout=20s")
        ready = kubectl("wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=20s")
        assert ready.count("condition met") == 2
        missed = kubectl("wait", "deploy/web", "--for=condition=Nonsense", "--timeout=300ms", code=1)
        assert "timed out waiting for the condition on deployments/web" in missed

    def test_for_a_field(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        kubectl.apply(objects.pod("p"))
        kubectl("wait", "pod/p", "--for=jsonpath={.status.phase}=Running", "--timeout=20s")
        kubectl("wait", "pod/p", "--for=jsonpath={.status.podIP}", "--timeout=20s")

    def test_for_creation_and_deletion(self, kubectl_simulated: harness.Kubectl) -> None:
        kubectl = kubectl_simulated
        with kubectl.running("wait", "cm/later", "--for=create", "--timeout=20s") as waiting:
            kubectl.apply(objects.config_map("later"))
            assert waiting.wait(20) == 0
        with kubectl.running("wait", "cm/later", "--for=delete", "--timeout=20s") as waiting:
            kubectl("delete", "cm", "later")
            assert waiting.wait(20) == 0
        assert "no matching resources found" in kubectl("wait", "pod", "--all", "--for=condition=Ready", code=1)


def _rows(watching: Any, *, until: str) -> list[str]:
    rows = []
    for line in watching.stdout:
        rows.append(line.rstrip())
        if until in line:
            return rows
    raise AssertionError(f"{until} did not come: {rows}")
