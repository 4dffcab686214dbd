from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources.admissionregistration import mutatingwebhookconfigurations as mutating
from pybernetes.apiserver.resources.admissionregistration import webhooks

RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOK = {
    "name": "a.example.com",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"url": "https://example.com/hook"},
    "rules": [RULE],
}


def configuration(**hook: Any) -> admissionregistration_v1.MutatingWebhookConfiguration:
    tree = {"metadata": {"name": "c"}, "webhooks": [HOOK | hook]}
    made = codecs.from_tree(admissionregistration_v1.MutatingWebhookConfiguration, tree)
    mutating.default(made)
    return made


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ({}, []),
        (
            {"name": "a.b"},
            [
                (
                    'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three '
                    "segments separated by "
                    "dots"
                )
            ],
        ),
        (
            {"sideEffects": "Some"},
            ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
        ),
        (
            {"admissionReviewVersions": ["v9"]},
            [
                'webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
            ],
        ),
        (
            {"timeoutSeconds": 31},
            [
                "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
            ],
        ),
        (
            {"clientConfig": {}},
            ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
        ),
        (
            {"clientConfig": {"url": "http://u@example.com?q"}},
            [
                (
                    "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only "
                    "allowed URL scheme; desired "
                    "format: https://host[/path]"
                ),
                'webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
                'webhooks[0].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL',
            ],
        ),
        (
            {"clientConfig": {"service": {"namespace": "n", "name": "s", "path": "a//b"}}},
            [
                "webhooks[0].clientConfig.service.path: Invalid value: \"a//b\": must start with a '/'",
            ],
        ),
        (
            {"rules": [RULE | {"resources": ["*", "pods"], "operations": ["*", "CREATE"]}]},
            [
                (
                    'webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is '
                    "present, must not specify "
                    "other operations"
                ),
                (
                    'webhooks[0].rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is '
                    "present, must not specify "
                    "other resources without subresources"
                ),
            ],
        ),
        (
            {"reinvocationPolicy": "Always"},
            ['webhooks[0].reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"'],
        ),
        (
            {"matchConditions": [{"name": "m", "expression": "true"}, {"name": "m", "expression": " "}]},
            [
                "webhooks[0].matchConditions[1].expression: Required value",
                'webhooks[0].matchConditions[1].name: Duplicate value: "m"',
            ],
        ),
    ],
)
def test_validation(hook: dict[str, Any], expected: list[str]) -> None:
    found = [str(problem) for problem in mutating.validate(configuration(**hook))]
    assert [text for text in found if "segment" not in text or "three" in text] == expected


def test_mistakes_of_before_may_stay() -> None:
    old, new = configuration(sideEffects="Some"), configuration(sideEffects="Unknown")
    assert webhooks.validate_update(new, old) == []
    assert len(webhooks.validate(new)) == 1


def test_defaults() -> None:
    (hook,) = configuration(clientConfig={"service": {"namespace": "n", "name": "s"}}).webhooks
    assert (hook.failurePolicy, hook.matchPolicy, hook.timeoutSeconds) == ("Fail", "Equivalent", 10)
    assert (hook.reinvocationPolicy, hook.rules[0].scope) == ("Never", "*")
    assert hook.clientConfig.service is not None
    assert hook.clientConfig.service.port == 443
