from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.resources.core import pods
from pybernetes.kits import clock, prometheus
from tests.fakes import apiserver as fakes
from tests.fakes import scrape


def attributes(operation: str = plugin.CREATE, **given: Any) -> plugin.Attributes:
    return plugin.Attributes(
        operation=operation, kind=pods.KIND, namespace="default", name="p", user=fakes.ADMIN, **given
    )


class Noting(plugin.Plugin):
    """Notes when it is asked; with `changes` it asks for a second round."""

    def __init__(self, log: list[str], name: str, *, changes: bool = False) -> None:
        self._log, self._name, self._changes = log, name, changes

    async def admit(self, attributes: plugin.Attributes) -> None:
        self._log.append(f"{self._name} again" if attributes.is_again else self._name)
        attributes.again = attributes.again or self._changes


class OfExec(Noting):
    operations = (plugin.CONNECT,)
    resources = ("pods/exec",)


async def test_those_are_asked_whom_it_concerns() -> None:
    log: list[str] = []
    admission = plugin.Admission([Noting(log, "all"), OfExec(log, "exec")], clock.VirtualClock().monotonic)
    await admission.admit(attributes())
    assert log == ["all"]
    log.clear()
    await admission.connect(attributes(plugin.CONNECT, subresource="exec", obj={}))
    assert log == ["all", "exec"]


async def test_a_change_brings_one_more_round() -> None:
    log: list[str] = []
    admission = plugin.Admission([Noting(log, "one"), Noting(log, "two", changes=True)], clock.VirtualClock().monotonic)
    await admission.admit(attributes())
    assert log == ["one", "two", "one again", "two again"]


class Refusing(plugin.Plugin):
    name = "Refusing"

    async def validate(self, attributes: plugin.Attributes) -> None:
        raise attributes.forbidden("no")


async def test_each_plugin_is_timed_by_itself() -> None:
    admission = plugin.Admission([Noting([], "one"), Refusing()], clock.VirtualClock().monotonic)
    await admission.admit(attributes())
    with pytest.raises(errors.StatusError):
        await admission.validate(attributes())
    found = scrape.parse(prometheus.text(admission.families()))
    name = "apiserver_admission_controller_admission_duration_seconds_count"
    counted = {
        (labels["name"], labels["type"], labels["rejected"]): value
        for labels, value in ((dict(key[1]), value) for key, value in found.items() if key[0] == name)
    }
    assert counted == {("", "admit", "false"): 1, ("Refusing", "validate", "true"): 1}


def test_what_it_is_about() -> None:
    assert attributes().resource == "pods"
    assert attributes(subresource="binding").resource == "pods/binding"
    assert attributes(obj={"apiVersion": "v1", "kind": "PodExecOptions"}).declared == ("v1", "PodExecOptions")
    assert attributes(obj=fakes.pod("p")).declared == ("v1", "Pod")
