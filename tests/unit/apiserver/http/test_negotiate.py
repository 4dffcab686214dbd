from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.apiserver.http import compression, negotiate

PODS, CUSTOM = "/api/v1/pods", "/apis/example.com/v1/things"
META = "g=meta.k8s.io;v=v1"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", negotiate.PLAIN),
        ("application/*", negotiate.PLAIN),
        ("application/json;q=0.5, application/yaml", negotiate.Form(negotiate.YAML)),
        ("application/vnd.kubernetes.protobuf, */*", negotiate.Form(negotiate.PROTOBUF)),
        (f"application/json;as=Table;{META}", negotiate.Form(shown=negotiate.TABLE)),
        (f"application/vnd.kubernetes.protobuf;as=Table;{META},application/json", negotiate.PLAIN),
        (f"application/json;as=PartialObjectMetadataList;{META}", negotiate.Form(shown=negotiate.PARTIAL)),
        (f"application/json;as=Other;{META},text/yaml", negotiate.Form(negotiate.YAML)),
    ],
)
def test_the_best_of_what_is_accepted(accept: str, form: negotiate.Form) -> None:
    assert negotiate.form(accept, PODS) == form


def test_custom_resources_have_no_binary_form() -> None:
    assert negotiate.form("application/vnd.kubernetes.protobuf,application/json", CUSTOM) == negotiate.PLAIN
    with pytest.raises(errors.StatusError) as caught:
        negotiate.form("application/vnd.kubernetes.protobuf", CUSTOM)
    assert str(caught.value) == "only the following media types are accepted: application/json, application/yaml"


def test_versions_of_old_have_none_either() -> None:
    accept = "application/vnd.kubernetes.protobuf,application/json"
    assert negotiate.form(accept, "/apis/extensions/v1beta1/ingresses") == negotiate.PLAIN
    assert negotiate.form(accept, "/apis/apps/v1/deployments").media == negotiate.PROTOBUF


def test_watches_are_json_or_protobuf() -> None:
    assert negotiate.streaming("application/yaml,application/json;q=0.1", PODS) == negotiate.PLAIN
    with pytest.raises(errors.StatusError) as caught:
        negotiate.streaming("application/yaml", CUSTOM)
    assert str(caught.value) == "only the following media types are accepted: application/json;stream=watch"


@pytest.mark.parametrize(
    ("encodings", "accepted"), [("gzip", True), ("br, gzip", True), ("gzip;q=1", False), ("", False)]
)
def test_who_takes_gzip(encodings: str, accepted: bool) -> None:
    assert compression.accepted(encodings) is accepted
