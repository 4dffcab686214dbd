"""Which controllers a list of names means."""

from __future__ import annotations

import pytest

from pybernetes.controllers import named, run, table


def test_a_star_means_all_that_are_on_by_default() -> None:
    assert set(table.CONTROLLERS) - set(run.chosen("*")) == named.ONLY_BY_NAME
    assert set(run.chosen("*,bootstrapsigner,tokencleaner")) == set(table.CONTROLLERS)


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        ("", []),
        ("job-controller", ["job-controller"]),
        ("job, ttl", ["job-controller", "ttl-controller"]),
        ("-job,job", []),
        ("job,-job", ["job-controller"]),
        ("podcertificaterequest-cleaner-controller", []),
        ("route", []),
    ],
)
def test_names(only: str, chosen: list[str]) -> None:
    assert sorted(run.chosen(only)) == chosen


def test_all_but_some() -> None:
    assert set(run.chosen("*")) - set(run.chosen("*,-nodeipam,-ttl-controller")) == {
        "node-ipam-controller",
        "ttl-controller",
    }


def test_what_nobody_is_called() -> None:
    with pytest.raises(ValueError, match="'nobody', '-noone' is not in the list of known controllers"):
        run.chosen("*,nobody,-noone")


def test_older_names_are_of_controllers() -> None:
    unserved = {"horizontal-pod-autoscaler-controller"}
    assert set(named.ALIASES.values()) - set(table.CONTROLLERS) - named.WITHOUT_EFFECT <= unserved
    assert not named.WITHOUT_EFFECT & set(table.CONTROLLERS)
