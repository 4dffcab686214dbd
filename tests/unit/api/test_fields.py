from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import fields

STEPS = st.lists(st.one_of(st.text(min_size=1, max_size=5), st.integers(0, 200)), max_size=5)


@given(st.text(min_size=1, max_size=5), STEPS)
def test_a_path_prints_its_steps(root: str, steps: list[str | int]) -> None:
    path, text = fields.Path(root), root
    for step in steps:
        path, text = path[step], f"{text}[{step}]" if isinstance(step, int) else f"{text}.{step}"
    assert str(path) == text


def test_only_so_many_steps_are_kept() -> None:
    path = fields.Path("spec")["a-list-nobody-else-has"]
    for step in range(1000):
        assert str(path[step]) == f"spec.a-list-nobody-else-has[{step}]"
    assert len(path) == 64
    assert str(path.key("a/b")) == "spec.a-list-nobody-else-has[a/b]"
    assert str(fields.Path()["spec"]) == "spec"
