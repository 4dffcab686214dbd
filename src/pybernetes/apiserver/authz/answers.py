"""Decisions for work that cannot wait: expressions ask for them in the middle of their evaluation.

The work is done with what is known; whenever it has asked for what has to be asked elsewhere, that is asked, and the
work is done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer as authorizers

T = TypeVar("T")
_Question = tuple[requests.User, requests.Attributes]


class Answers(authorizers.Immediate):
    """An authorizer that always answers. Where it does not know, it says no, and notes what to ask."""

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer
        self._known: dict[_Question, authorizers.Decision] = {}
        self.wanted: _Question | None = None

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizers.Decision:
        decision = self._known.get((user, attributes)) or self._authorizer.decide(user, attributes)
        if decision is None:
            self.wanted = (user, attributes)
            return authorizers.NO_OPINION
        return decision

    async def learn(self) -> bool:
        """Ask for what was wanted; whether anything was."""
        if self.wanted is None:
            return False
        self._known[self.wanted] = await self._authorizer.ask(*self.wanted)
        self.wanted = None
        return True


async def settled(authorizer: authorizers.Authorizer, work: Callable[[Answers], T]) -> T:
    """What the work comes to when all its questions are answered. It may be done several times."""
    answers = Answers(authorizer)
    while True:
        try:
            result = work(answers)
        except Exception:
            if not await answers.learn():
                raise
        else:
            if not await answers.learn():
                return result
