"""Tokens that others have to be asked about: identity providers and a webhook, in this order.

What came of it is kept for a moment, so that a client's next requests cost no more than others'; those who come with
the same token at once share an answer; and none waits for longer than PATIENCE_SECONDS.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pybernetes.api import wording
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import jwt
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

REMEMBERED = 4096
PATIENCE_SECONDS = 30.0


class Answer(NamedTuple):
    """`user` is None for a token that is not good, which `why` may explain; it holds for `ttl` seconds."""

    user: requests.User | None
    audiences: tuple[str, ...]
    ttl: float
    why: str = ""


class Source(Protocol):
    """Raises NotOurs for tokens that are not its business, InvalidToken for those that are not good."""

    async def ask(self, token: str, audiences: tuple[str, ...]) -> Answer: ...

    def open(self) -> None:
        """Begin. Raises ValueError where it cannot."""
        ...

    async def close(self) -> None: ...


_Question = tuple[str, tuple[str, ...]]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


class Remote:
    def __init__(self, sources: Sequence[Source], *, clock: clocks.Clock) -> None:
        self.sources = sources
        self._clock = clock
        # By a hash of the token: whoever has no good one may send as long ones as he likes.
        self._answers: OrderedDict[tuple[bytes, tuple[str, ...]], tuple[Answer, float]] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[Answer]] = {}
        self._tasks = tasks.Tasks()

    def open(self) -> None:
        """Begin. Raises ValueError where one of them cannot."""
        for source in self.sources:
            source.open()

    def known(self, token: str, audiences: tuple[str, ...] = ()) -> Answer | None:
        found = self._answers.get((_hash(token), audiences))
        return found[0] if found is not None and found[1] > self._clock.monotonic() else None

    async def ask(self, token: str, audiences: tuple[str, ...] = ()) -> Answer:
        question = (token, audiences)
        task = self._asking.get(question)
        if task is None:
            # A task of its own: who goes away while he waits does not take the answer from others.
            task = self._asking[question] = self._tasks.spawn(self._ask(question), name="token")
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        await self._tasks.close()
        for source in self.sources:
            await source.close()

    async def _ask(self, question: _Question) -> Answer:
        try:
            async with self._clock.timeout(PATIENCE_SECONDS):
                answer = await self._first(*question)
        except TimeoutError:
            return Answer(None, (), 0.0, "context deadline exceeded")
        if answer.ttl > 0:
            key = (_hash(question[0]), question[1])
            self._answers[key] = (answer, self._clock.monotonic() + answer.ttl)
            self._answers.move_to_end(key)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    async def _first(self, token: str, audiences: tuple[str, ...]) -> Answer:
        problems = []
        ttls = []
        for source in self.sources:
            try:
                answer = await source.ask(token, audiences)
            except jwt.NotOurs:
                continue
            except jwt.InvalidToken as error:
                problems.append(str(error))
                ttls.append(0.0)
                continue
            if answer.user is not None:
                return answer
            problems += [answer.why] if answer.why else []
            ttls.append(answer.ttl)
        return Answer(None, (), min(ttls, default=0.0), wording.aggregate(problems))
