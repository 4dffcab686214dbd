"""Fields of requests are called by their names, also where the language reserves them."""

from __future__ import annotations

import pytest

from pybernetes.api.cel import access, admission, environment


def test_namespaces() -> None:
    program = access.compile_condition("request.resourceAttributes.namespace == 'a'")
    assert access.holds(program, {"resourceAttributes": {"namespace": "a"}})
    assert not access.holds(program, {"resourceAttributes": {"namespace": "b"}})
    assert admission.Compiler().compile("request.namespace").kind == "string"
    assert admission.Compiler().compile("namespaceObject.metadata.namespace").kind == "string"


@pytest.mark.parametrize("text", ["1", "request.nobody", "'a'", "object == 1"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(environment.CompileError):
        access.compile_condition(text)
