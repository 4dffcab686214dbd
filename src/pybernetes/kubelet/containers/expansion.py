"""`$(VAR)` references in commands, arguments and environment values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_reference = re.compile(r"\$(?:\$|\(([^()]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known; `$$` is a dollar sign; everything else stays as written."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return _reference.sub(replaced, text)
