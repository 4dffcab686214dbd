"""Looking for garbage seldom."""

from __future__ import annotations

import gc

from pybernetes.kits import garbage


def test_what_is_there_already_is_not_looked_at_again() -> None:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        garbage.look_seldom()
        assert gc.get_threshold() == garbage.THRESHOLDS
        assert gc.get_freeze_count() > frozen
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def test_for_a_while() -> None:
    before = gc.get_threshold()
    with garbage.seldom():
        assert gc.get_threshold() == garbage.THRESHOLDS
        with garbage.seldom():
            pass
        assert gc.get_threshold() == garbage.THRESHOLDS
    assert gc.get_threshold() == before
