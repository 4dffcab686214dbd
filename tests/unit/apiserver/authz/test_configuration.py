"""The file of --authorization-config."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest

from pybernetes.apiserver.authz import configuration, webhook

WEBHOOK: dict[str, Any] = {
    "timeout": "3s",
    "subjectAccessReviewVersion": "v1",
    "matchConditionSubjectAccessReviewVersion": "v1",
    "failurePolicy": "Deny",
    "matchConditions": [{"expression": "request.user != 'x'"}],
}


def parsed(*authorizers: Any, **more: Any) -> Any:
    tree = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": list(authorizers),
        **more,
    }
    return configuration.parse(json.dumps(tree).encode())


def hook(file: pathlib.Path | None, **more: Any) -> dict[str, Any]:
    info = {"type": "KubeConfigFile", "kubeConfigFile": str(file or "")}
    return {"type": "Webhook", "name": "hook", "webhook": {**WEBHOOK, "connectionInfo": info, **more}}


def test_in_order(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "config"
    file.touch()
    assert parsed({"type": "Node", "name": "node"}, hook(file), {"type": "RBAC", "name": "rbac"}) == (
        "Node",
        webhook.Settings(
            name="hook",
            kubeconfig=file,
            authorized_ttl=300.0,
            unauthorized_ttl=30.0,
            timeout=3.0,
            denies=True,
            conditions=("request.user != 'x'",),
        ),
        "RBAC",
    )
    (_, found) = parsed({"type": "RBAC", "name": "a"}, hook(file, cacheAuthorizedRequests=False, unauthorizedTTL="1m"))
    assert (found.authorized_ttl, found.unauthorized_ttl) == (0.0, 60.0)


@pytest.mark.parametrize(
    ("authorizers", "why"),
    [
        ([], "authorizers: Required value: at least one authorization mode must be defined"),
        ([{"name": "a"}], "authorizers[0].type: Required value"),
        ([{"type": "Odd", "name": "a"}], 'authorizers[0].type: Unsupported value: "Odd"'),
        ([{"type": "Node"}], "authorizers[0].name: Required value"),
        ([{"type": "Node", "name": "A"}], "authorizer name is invalid"),
        ([{"type": "RBAC", "name": "a"}] * 2, 'authorizers[1].type: Duplicate value: "RBAC"'),
        ([{"type": "Webhook", "name": "a"}], "authorizers[0].webhook: Required value: required when type=Webhook"),
        ([hook(None)], "connectionInfo.kubeConfigFile: Required value"),
        ([hook(pathlib.Path("x"))], "must be an absolute path"),
        ([hook(pathlib.Path("/nowhere"))], "no such file or directory"),
        ([hook(None, timeout="1m")], 'timeout: Invalid value: "1m": must be > 0s and <= 30s'),
        ([hook(None, failurePolicy="")], "failurePolicy: Required value"),
        ([hook(None, matchConditions=[{"expression": "1"}])], "compilation failed: must evaluate to bool"),
        ([hook(None, matchConditions=[{"expression": "request.nobody"}])], "undefined field 'nobody'"),
        ([hook(None, matchConditions=[{"expression": " "}])], "matchConditions[0].expression: Required value"),
        ([hook(None, nothing=1)], "error decoding authorization configuration"),
    ],
)
def test_what_is_wrong(authorizers: list[Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parsed(*authorizers)


def test_of_another_kind() -> None:
    with pytest.raises(ValueError, match="is not an AuthorizationConfiguration"):
        parsed(kind="Odd")
