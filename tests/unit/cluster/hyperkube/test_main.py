"""The `hyperkube` program: what it has, and what it says of what it has not."""

from __future__ import annotations

import sys

import pytest

from pybernetes.cluster.hyperkube import __main__ as program
from pybernetes.cluster.hyperkube import table


def test_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 2
    assert "kube-apiserver" in capsys.readouterr().err
    assert program.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in table.COMPONENTS)


@pytest.mark.parametrize("name", table.COMPONENTS)
def test_every_component_lists_its_flags_and_refuses_others(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([name, "-h"]) == 0
    assert f"usage: hyperkube {name} [FLAGS]" in capsys.readouterr().out
    assert program.main([name, "--flie"]) == 2
    assert "unknown flag: --flie" in capsys.readouterr().err
    assert program.main([name, "--version"]) == 0
    assert capsys.readouterr().out.startswith("Kubernetes v1.36.")


def test_a_controller_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["kube-controller-manager", "--master=http://127.0.0.1:1", "--controllers=fly"]) == 2
    assert "'fly' is not in the list of known controllers" in capsys.readouterr().err


def test_unknown_components(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["kube-fly"]) == 2
    assert "hyperkube has no component 'kube-fly'" in capsys.readouterr().err


def test_by_its_own_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kube-apiserver", "--version"])
    assert program.main() == 0
    assert capsys.readouterr().out.startswith("Kubernetes v1.36.")
