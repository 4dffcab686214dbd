"""Ranges are written in one way only, and stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources.networking import servicecidrs

INVALID = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def cidrs(*listed: str) -> networking_v1.ServiceCIDR:
    return networking_v1.ServiceCIDR(spec=networking_v1.ServiceCIDRSpec(cidrs=list(listed)))


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.0.0.0/8", ""),
        ("0.0.0.0/0", ""),
        ("fd00::/108", ""),
        ("10.0.0.0", INVALID),
        ("10.0.0.0/255.0.0.0", INVALID),
        ("10.0.0.0/33", INVALID),
        ("fe80::1%eth0/64", INVALID),
        ("nonsense", INVALID),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.5/24", "must not have bits set beyond the prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
        ("FD00::/108", 'must be in canonical form ("fd00::/108")'),
        ("fd00:0::/108", 'must be in canonical form ("fd00::/108")'),
    ],
)
def test_how_a_range_is_written(cidr: str, words: str) -> None:
    shown = [f'spec.cidrs[0]: Invalid value: "{cidr}": {words}'] if words else []
    assert [str(one) for one in servicecidrs.validate(cidrs(cidr))] == shown


@given(st.text(max_size=20))
def test_any_text_is_taken_or_refused(text: str) -> None:
    assert len(servicecidrs.validate(cidrs(text))) <= 1


def test_one_of_each_family() -> None:
    assert [str(one) for one in servicecidrs.validate(cidrs())] == [
        "spec.cidrs: Required value: at least one CIDR required"
    ]
    (three,) = servicecidrs.validate(cidrs("10.0.0.0/8", "fd00::/108", "11.0.0.0/8"))
    assert "may only hold up to 2 values" in str(three)
    (same,) = servicecidrs.validate(cidrs("10.0.0.0/8", "11.0.0.0/8"))
    assert "may specify no more than one IP for each IP family" in str(same)


@pytest.mark.parametrize(
    ("now", "was", "at"),
    [
        (["10.0.0.0/8"], ["10.0.0.0/8"], None),
        (["10.0.0.0/8", "fd00::/108"], ["10.0.0.0/8"], None),
        (["11.0.0.0/8"], ["10.0.0.0/8"], "spec.cidrs[0]"),
        (["fd00::/108", "10.0.0.0/8"], ["10.0.0.0/8"], "spec.cidrs[0]"),
        (["10.0.0.0/8"], ["10.0.0.0/8", "fd00::/108"], "spec.cidrs"),
    ],
)
def test_what_is_there_stays(now: list[str], was: list[str], at: str | None) -> None:
    found = servicecidrs.validate_update(cidrs(*now), cidrs(*was))
    assert [str(one).split(":")[0] for one in found] == ([at] if at is not None else [])
