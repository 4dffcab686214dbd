"""The policy file: what it may say, and which rule a request meets."""

from __future__ import annotations

import pathlib

import pytest

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import policy

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
ALICE = requests.User("alice", groups=("dev", "system:authenticated"))


def level(rules: str, path: str, *, method: str = "GET", user: requests.User = ALICE) -> str:
    found = policy.parse(f"{HEAD}rules:\n{rules}- level: None\n".encode())
    return found.scope(user, requests.parse(method, path, False)).level


POD = "/api/v1/namespaces/a/pods/p"


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("users: [alice]", POD, True),
        ("users: [bob]", POD, False),
        ("userGroups: [dev]", POD, True),
        ("userGroups: [ops]", POD, False),
        ("verbs: [get, list]", POD, True),
        ("verbs: [create]", POD, False),
        ("namespaces: [a]", POD, True),
        ("namespaces: ['']", POD, False),
        ("namespaces: ['']", "/api/v1/nodes", True),
        ("resources: [{group: ''}]", POD, True),
        ("resources: [{group: apps}]", POD, False),
        ("resources: [{group: '*', resources: [pods]}]", POD, True),
        ("resources: [{group: '', resources: [pods]}]", f"{POD}/log", False),
        ("resources: [{group: '', resources: [pods/log]}]", f"{POD}/log", True),
        ("resources: [{group: '', resources: ['pods/*']}]", f"{POD}/log", True),
        ("resources: [{group: '', resources: ['*/log']}]", f"{POD}/log", True),
        ("resources: [{group: '', resources: ['*']}]", f"{POD}/log", True),
        ("resources: [{group: '', resources: [pods], resourceNames: [p]}]", POD, True),
        ("resources: [{group: '', resources: [pods], resourceNames: [q]}]", POD, False),
        ("resources: [{group: '', resources: [pods]}]", "/healthz", False),
        ("nonResourceURLs: [/healthz*]", "/healthz/etcd", True),
        ("nonResourceURLs: [/healthz]", "/healthz/etcd", False),
        ("nonResourceURLs: ['*']", "/metrics", True),
        ("nonResourceURLs: ['*']", POD, False),
    ],
)
def test_rules(rule: str, path: str, matches: bool) -> None:
    assert level(f"- level: Metadata\n  {rule}\n", path) == ("Metadata" if matches else "None")


def test_the_first_rule_counts_and_stages_add_up() -> None:
    text = f"""{HEAD}omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Request
  verbs: [get]
  omitStages: [Panic]
- level: RequestResponse
  omitManagedFields: false
"""
    found = policy.parse(text.encode())
    first = found.scope(ALICE, requests.parse("GET", POD, False))
    assert first == policy.Scope("Request", frozenset({"RequestReceived", "Panic"}), True)
    second = found.scope(ALICE, requests.parse("DELETE", POD, False))
    assert second == policy.Scope("RequestResponse", frozenset({"RequestReceived"}), False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apiVersion: v1\nkind: Policy\nrules: [{level: None}]", "unknown group version field /v1, Kind=Policy"),
        (f"{HEAD}rules: []", "loaded illegal policy with 0 rules"),
        (f"{HEAD}rules: [{{}}]", "rules[0].level: Required value"),
        (
            f"{HEAD}rules: [{{level: All}}]",
            'rules[0].level: Unsupported value: "All": supported values: "Metadata", "None"',
        ),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: [x]}}]", "must begin with a '/' character"),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: ['/a*b']}}]", "must be the final character of the rule"),
        (f"{HEAD}rules: [{{level: None, nonResourceURLs: [/a], namespaces: [b]}}]", "cannot apply to both"),
        (f"{HEAD}rules: [{{level: None, resources: [{{resourceNames: [a]}}]}}]", "requires at least one resource"),
        (f"{HEAD}rules: [{{level: None, resources: [{{group: A/v1}}]}}]", "rules[0].resources.group: Invalid value"),
        (f"{HEAD}omitStages: [Late]\nrules: [{{level: None}}]", "allowed stages are RequestReceived,ResponseStarted"),
        ("a: [", "failed decoding"),
        (f"{HEAD}rules: 7", "failed decoding"),
    ],
)
def test_what_a_policy_cannot_be(text: str, words: str) -> None:
    with pytest.raises(policy.PolicyError) as refused:
        policy.parse(text.encode())
    assert words in str(refused.value)


def test_files_are_named_in_errors(tmp_path: pathlib.Path) -> None:
    with pytest.raises(policy.PolicyError, match=r'failed to read file path ".*/none"'):
        policy.read(tmp_path / "none")
    (tmp_path / "p").write_text(f"{HEAD}rules: []")
    with pytest.raises(policy.PolicyError, match=f"0 rules: from file {tmp_path}/p"):
        policy.read(tmp_path / "p")
    (tmp_path / "q").write_text(f"{HEAD}rules: [{{level: None, spelled: wrong}}]\nstrange: 1")
    assert policy.read(tmp_path / "q").rules[0].level == "None"
