"""What the stock kubectl writes: apply and its conflicts, patches, edits, dry runs."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from tests.e2e import harness, objects


@pytest.fixture
def kubectl(kubectl_simulated: harness.Kubectl) -> harness.Kubectl:
    return kubectl_simulated


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "object.json"


def _write(file: pathlib.Path, obj: dict[str, Any]) -> pathlib.Path:
    file.write_text(json.dumps(obj))
    return file


def _managers(kubectl: harness.Kubectl, *what: str) -> set[tuple[str, str]]:
    entries = kubectl.json("get", *what, "--show-managed-fields")["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]) for entry in entries}


class TestApply:
    def test_diff(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        obj = objects.config_map("m", a="1", b="2")
        missing = kubectl("diff", "-f", _write(file, obj), code=1)
        assert '+  a: "1"' in missing
        kubectl("apply", "-f", file)
        assert kubectl("diff", "-f", file) == ""
        obj["data"]["a"] = "3"
        changed = kubectl("diff", "-f", _write(file, obj), code=1)
        assert '-  a: "1"\n+  a: "3"' in changed
        assert '-  a: "1"\n+  a: "3"' in kubectl("diff", "--server-side", "-f", file, "--force-conflicts", code=1)
        assert kubectl.path(".data.a", "get", "cm", "m") == "1"

    def test_on_the_client(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        obj = objects.deployment("web")
        assert kubectl("apply", "-f", _write(file, obj)) == "deployment.apps/web created\n"
        assert kubectl("apply", "-f", file) == "deployment.apps/web unchanged\n"
        obj["spec"]["replicas"] = 2
        assert kubectl("apply", "-f", _write(file, obj)) == "deployment.apps/web configured\n"
        last = kubectl("apply", "view-last-applied", "deploy/web", "-o", "json")
        assert json.loads(last)["spec"]["replicas"] == 2
        assert kubectl("apply", "-f", file, "--prune", "-l", "app=none", code=1)

    def test_on_the_server(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        obj = objects.config_map("m", a="1", b="2")
        one = ("apply", "--server-side", "--field-manager=one", "-f")
        two = ("apply", "--server-side", "--field-manager=two", "-f")
        assert kubectl(*one, _write(file, obj)) == "configmap/m serverside-applied\n"
        obj["data"] = {"a": "other"}
        conflict = kubectl(*two, _write(file, obj), code=1)
        assert 'Apply failed with 1 conflict: conflict with "one": .data.a' in conflict
        kubectl(*two, file, "--force-conflicts")
        assert kubectl.json("get", "cm", "m")["data"] == {"a": "other", "b": "2"}
        assert _managers(kubectl, "cm", "m") == {("one", "Apply"), ("two", "Apply")}
        # What the one who owns it applies no more, goes.
        kubectl(*one, _write(file, objects.config_map("m")))
        assert kubectl.json("get", "cm", "m")["data"] == {"a": "other"}
        kubectl("label", "cm", "m", "x=y")
        assert ("kubectl-label", "Update") in _managers(kubectl, "cm", "m")

    def test_from_the_client_to_the_server(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        obj = objects.deployment("web")
        kubectl("apply", "-f", _write(file, obj))
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "example.org/other:2"
        assert "serverside-applied" in kubectl("apply", "--server-side", "-f", _write(file, obj))
        got = kubectl.json("get", "deploy", "web")
        assert got["spec"]["template"]["spec"]["containers"][0]["image"] == "example.org/other:2"
        assert ("kubectl", "Apply") in _managers(kubectl, "deploy", "web")


class TestPatch:
    def test_json(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.config_map("m", a="1"))
        steps = [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "add", "path": "/metadata/labels", "value": {"a/b": "1"}},
            {"op": "copy", "from": "/metadata/labels/a~1b", "path": "/data/b"},
            {"op": "remove", "path": "/data/a"},
        ]
        kubectl("patch", "cm", "m", "--type=json", "-p", json.dumps(steps))
        assert kubectl.json("get", "cm", "m")["data"] == {"b": "1"}
        failed = kubectl("patch", "cm", "m", "--type=json", "-p", json.dumps(steps[:1]), code=1)
        assert "the server rejected our request due to an error in our request" in failed

    def test_merge(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.config_map("m", a="1", b="2"))
        kubectl("patch", "cm", "m", "--type=merge", "-p", '{"data":{"a":null,"c":"3"}}')
        assert kubectl.json("get", "cm", "m")["data"] == {"b": "2", "c": "3"}

    def test_strategic(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.deployment("web", objects.container("a"), objects.container("b")))
        patch = {"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "example.org/new:1"}, {"name": "b", "$patch": "delete"}]}}}}  # fmt: skip
        kubectl("patch", "deploy", "web", "-p", json.dumps(patch))
        (left,) = kubectl.json("get", "deploy", "web")["spec"]["template"]["spec"]["containers"]
        assert (left["name"], left["image"]) == ("a", "example.org/new:1")
        assert left["command"]

    def test_a_subresource(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.deployment("web", replicas=0))
        patch = '{"status":{"conditions":[{"type":"Odd","status":"True"}]},"spec":{"replicas":7}}'
        kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", patch)
        assert kubectl.path(".spec.replicas", "get", "deploy", "web") == "0"
        kubectl("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
        assert kubectl.path(".spec.replicas", "get", "deploy", "web", "--subresource=scale") == "1"


class TestChanges:
    def test_scale(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.deployment("web"))
        wrong = kubectl("scale", "deploy/web", "--current-replicas=5", "--replicas=3", code=1)
        assert "Expected replicas to be 5, was 1" in wrong
        kubectl("scale", "deploy/web", "--current-replicas=1", "--replicas=3", "--timeout=20s")
        assert "successfully rolled out" in kubectl("rollout", "status", "deploy/web", "--timeout=20s")

    def test_rollouts(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.deployment("web"))
        kubectl("rollout", "status", "deploy/web", "--timeout=20s")
        kubectl("set", "image", "deploy/web", "c=example.org/next:1")
        kubectl("rollout", "status", "deploy/web", "--timeout=20s")
        assert [row.split()[0] for row in kubectl("rollout", "history", "deploy/web").splitlines()[2:-1]] == ["1", "2"]
        kubectl("rollout", "undo", "deploy/web")
        kubectl("rollout", "restart", "deploy/web")
        kubectl("rollout", "status", "deploy/web", "--timeout=20s")
        kubectl("rollout", "pause", "deploy/web")
        assert kubectl.path(".spec.paused", "get", "deploy", "web") == "true"
        kubectl("rollout", "resume", "deploy/web")

    def test_replace(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        kubectl("create", "-f", _write(file, objects.pod("p")))
        uid = kubectl.path(".metadata.uid", "get", "pod", "p")
        other = objects.pod("p", objects.container("other"))
        refused = kubectl("replace", "-f", _write(file, other), code=1)
        assert "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`" in refused
        assert "replaced" in kubectl("replace", "--force", "--grace-period=0", "-f", file)
        assert kubectl.path(".metadata.uid", "get", "pod", "p") != uid
        assert kubectl.path(".spec.containers[0].name", "get", "pod", "p") == "other"
        stale = {**objects.config_map("m", a="1"), "metadata": {"name": "m", "resourceVersion": "1"}}
        kubectl.apply(objects.config_map("m"))
        conflict = kubectl("replace", "-f", _write(file, stale), code=1)
        assert "the object has been modified; please apply your changes to the latest version" in conflict

    def test_labels_and_annotations(self, kubectl: harness.Kubectl) -> None:
        kubectl.apply(objects.config_map("m"), objects.config_map("n"))
        kubectl("label", "cm", "m", "n", "tier=front", "gone=soon")
        assert "already has a value (front), and --overwrite is false" in kubectl(
            "label", "cm", "m", "tier=back", code=1
        )
        kubectl("label", "cm", "m", "tier=back", "gone-", "--overwrite")
        assert kubectl.json("get", "cm", "m")["metadata"]["labels"] == {"tier": "back"}
        kubectl("label", "cm", "m", "x/y/z=1", code=1)
        kubectl("annotate", "cm", "--all", "note=a long text")
        assert kubectl.path(".metadata.annotations.note", "get", "cm", "n") == "a long text"
        kubectl("annotate", "cm", "n", "note-", "--resource-version=1", code=1)
        kubectl("annotate", "cm", "n", "note-")
        assert "note" not in kubectl.path(".metadata.annotations", "get", "cm", "n")

    def test_edit(self, kubectl: harness.Kubectl, tmp_path: pathlib.Path) -> None:
        kubectl.apply(objects.config_map("m", a="before"))
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
        editor.chmod(0o755)
        assert "edited" in kubectl("edit", "cm", "m", KUBE_EDITOR=str(editor))
        assert kubectl.path(".data.a", "get", "cm", "m") == "after"
        assert "no changes made" in kubectl.result("edit", "cm", "m", KUBE_EDITOR="true").err
        kubectl.apply(objects.deployment("web", replicas=0))
        editor.write_text('#!/bin/sh\nsed -i "s/replicas: .*/replicas: 1/" "$1"\n')
        kubectl("edit", "deploy", "web", "--subresource=status", KUBE_EDITOR="true")
        kubectl("edit", "deploy", "web", "-o", "yaml", KUBE_EDITOR=str(editor))
        assert kubectl.path(".spec.replicas", "get", "deploy", "web") == "1"

    def test_tokens(self, kubectl: harness.Kubectl) -> None:
        kubectl("create", "serviceaccount", "robot")
        kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps")
        kubectl("create", "rolebinding", "robot", "--role=reader", f"--serviceaccount={kubectl.namespace}:robot")
        token = kubectl("create", "token", "robot", "--duration=1h", "--audience=https://elsewhere").strip()
        assert "Unauthorized" in _as(kubectl, token).err
        token = kubectl("create", "token", "robot", "--duration=10m").strip()
        assert _as(kubectl, token).code == 0
        refused = kubectl("create", "token", "robot", "--duration=1m", code=1)
        assert "may not specify a duration less than 10 minutes" in refused
        kubectl("delete", "serviceaccount", "robot")
        assert "Unauthorized" in _as(kubectl, token).err


def _as(kubectl: harness.Kubectl, token: str) -> harness.Result:
    """The config maps as the token's user: the administrator's certificate must not come along."""
    config = kubectl.json("config", "view", "--raw")
    config["users"][0]["user"] = {"token": token}
    file = kubectl.kubeconfig.with_name("kubeconfig-token")
    file.write_text(json.dumps(config))
    return harness.Kubectl(file, kubectl.namespace).result("get", "cm")


class TestChecks:
    def test_dry_runs(self, kubectl: harness.Kubectl) -> None:
        dry = kubectl.json("create", "deployment", "web", "--image=x", "--dry-run=server")
        assert dry["metadata"]["uid"]
        assert dry["spec"]["strategy"]["type"] == "RollingUpdate"
        assert "NotFound" in kubectl("get", "deploy", "web", code=1)
        kubectl.apply(objects.config_map("m", a="1"))
        assert "(server dry run)" in kubectl.apply(objects.config_map("m", a="2"), more=["--dry-run=server"])
        assert "(server dry run)" in kubectl("delete", "cm", "m", "--dry-run=server")
        assert kubectl.path(".data.a", "get", "cm", "m") == "1"

    def test_unknown_and_repeated_fields(self, kubectl: harness.Kubectl, file: pathlib.Path) -> None:
        obj = objects.pod("p")
        obj["spec"]["nonsense"] = 1
        refused = kubectl("apply", "--validate=strict", "-f", _write(file, obj), code=1)
        assert 'strict decoding error: unknown field "spec.nonsense"' in refused
        warned = kubectl.result("apply", "--validate=warn", "-f", file)
        assert warned.code == 0
        assert 'Warning: unknown field "spec.nonsense"' in warned.err
        quiet = kubectl.result("apply", "--validate=ignore", "-f", file)
        assert (quiet.code, quiet.err) == (0, "")
        file.write_text('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1","a":"2"}}')
        path = f"/api/v1/namespaces/{kubectl.namespace}/configmaps?fieldValidation=Strict"
        assert 'duplicate field "data.a"' in kubectl("create", "--raw", path, "-f", file, code=1)

    def test_invalid_objects(self, kubectl: harness.Kubectl) -> None:
        bad = objects.pod("p")
        bad["spec"]["containers"][0]["ports"] = [{"containerPort": 70000}]
        bad["spec"]["restartPolicy"] = "Sometimes"
        words = kubectl.apply(bad, code=1)
        assert 'The Pod "p" is invalid:' in words
        assert "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535" in words
        assert 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: ' in words
