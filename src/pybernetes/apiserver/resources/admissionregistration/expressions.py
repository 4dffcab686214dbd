"""Whether the expressions in kinds of this group compile, and what is said where they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pybernetes.api import fields
from pybernetes.apiserver.resources import checks

if TYPE_CHECKING:
    from pybernetes.api.cel import admission as language


def compiler(*, params: bool = False) -> language.Compiler:
    """For one object. The language is loaded when the first expression is written."""
    from pybernetes.api.cel import admission as language

    return language.Compiler(params=params)


def problems(compile_: Callable[[str], object], expression: str, path: fields.Path) -> checks.Errors:
    """Of one expression, which `compile_` compiles."""
    from pybernetes.api.cel import environment

    try:
        compile_(expression)
    except environment.CompileError as error:
        return [fields.invalid(path, expression, str(error))]
    return []
