"""What a reflector does about servers that cannot, or will not."""

from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.informers import reflector
from pybernetes.informers.reflector import Outcome, Stage
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock


def made(stage: Stage) -> reflector.Reflector:
    client, sink = object(), object()
    found = reflector.Reflector(client, "pods", sink, clock=VirtualClock(), chance=Chance(1))  # type: ignore[arg-type]
    found.stage = stage
    return found


@pytest.mark.parametrize("code", [400, 403, 405, 422, 500])
def test_a_server_that_does_not_stream_lists_gets_a_list(code: int) -> None:
    # Upstream with an etcd that has no progress notifications answers 500 within the stream.
    refused = made(Stage.STREAM)._refused(errors.error(code, "", "no"))
    assert refused == (Outcome.UNSUPPORTED, 0.0)
    assert reflector.step(Stage.STREAM, Outcome.UNSUPPORTED) is Stage.LIST


def test_who_is_told_to_wait_waits() -> None:
    outcome, delay = made(Stage.STREAM)._refused(errors.error(429, "TooManyRequests", "later", retry_after=7))
    assert outcome is Outcome.FAILED
    assert delay >= 7


def test_what_is_expired_begins_anew() -> None:
    assert made(Stage.WATCH)._refused(errors.error(410, "Expired", "too old")) == (Outcome.EXPIRED, 0.0)
    assert reflector.step(Stage.WATCH, Outcome.EXPIRED) is Stage.STREAM


def test_a_refused_list_is_asked_for_again_later() -> None:
    outcome, delay = made(Stage.LIST)._refused(errors.error(403, "Forbidden", "no"))
    assert outcome is Outcome.FAILED
    assert delay > 0
