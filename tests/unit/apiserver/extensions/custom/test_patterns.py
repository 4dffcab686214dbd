"""Go's character classes in Python's."""

from __future__ import annotations

import re
import unicodedata

from pybernetes.apiserver.extensions.custom import patterns


def test_categories_are_those_of_all_characters() -> None:
    for name in ("Lu", "C", "Cn", "Co", "N"):
        listed = patterns._category(name)
        assert listed is not None
        inside = re.compile(f"[{listed}]")
        for code in (
            *range(0, 0x110000, 977),
            0xE01EF,
            0xE0200,
            0xF0000,
            0xFFFFD,
            0xFFFFE,
            0x10FFFD,
            0x10FFFF,
            0x323AF,
        ):
            expected = unicodedata.category(chr(code)).startswith(name)
            assert (inside.match(chr(code)) is not None) == expected, hex(code)
