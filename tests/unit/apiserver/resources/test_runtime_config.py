from __future__ import annotations

import re

import pytest

from pybernetes.apiserver.resources import runtime_config, table


def names(text: str) -> set[str]:
    served = table.kinds(table.parse_runtime_config(text))
    return {f"{k.resource.group}/{k.resource.version}/{k.resource.name}" for k in served}


DEFAULT = names("")


def test_nothing_said_is_what_is_stable() -> None:
    assert all(name.split("/")[1] in ("v1", "v2") for name in DEFAULT)
    assert table.kinds({}) is table.kinds()


@pytest.mark.parametrize(
    ("text", "added", "taken"),
    [
        ("networking.k8s.io/v1beta1=true", {"networking.k8s.io/v1beta1/ipaddresses"}, set()),
        ("networking.k8s.io/v1beta1", {"networking.k8s.io/v1beta1/servicecidrs"}, set()),
        (
            "resource.k8s.io/v1alpha3/devicetaintrules=true",
            {"resource.k8s.io/v1alpha3/devicetaintrules"},
            {"resource.k8s.io/v1alpha3/resourcepoolstatusrequests"},
        ),
        ("batch/v1=false", set(), {"batch/v1/jobs", "batch/v1/cronjobs"}),
        ("batch/v1=false,batch/v1/jobs=true", {"batch/v1/jobs"}, {"batch/v1/cronjobs"}),
        ("api/beta=true", {"storage.k8s.io/v1beta1/volumeattributesclasses"}, {"extensions/v1beta1/deployments"}),
        ("api/alpha=true", {"coordination.k8s.io/v1alpha2/leasecandidates"}, {"extensions/v1beta1/ingresses"}),
        ("api/all=false,apps/v1=true", {"apps/v1/deployments"}, {"batch/v1/jobs", "/v1/pods"}),
        ("api/all=false,api/ga=true", DEFAULT, {"networking.k8s.io/v1beta1/ipaddresses"}),
        ("extensions/v1beta1=true", {"extensions/v1beta1/ingresses", "extensions/v1beta1/deployments"}, set()),
        ("what.example.com/v1=true", DEFAULT, set()),
    ],
)
def test_precedence(text: str, added: set[str], taken: set[str]) -> None:
    served = names(text)
    assert added <= served
    assert not taken & served


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api/all=yes", "invalid value api/all=yes"),
        (
            "apps/v1=maybe",
            'invalid value of apps/v1: maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        ("apps/v7=true", "group version apps/v7 that has not been registered"),
        (
            "apps/v1/Deployments=false",
            (
                "invalid key apps/v1/Deployments: group/version/resource and resource is always lowercase plural, "
                'not "Deployments"'
            ),
        ),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        table.kinds(runtime_config.parse(text))
