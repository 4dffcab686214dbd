"""What has been found out about requests, by who asks and what for.

The users of connections and the attributes of paths are mostly the same objects again and again: to find something by
their identities takes a third of the time that hashing what they hold does.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from pybernetes.apiserver import request as requests

T = TypeVar("T")

MOST = 20_000


class Remembered(Generic[T]):
    """For what depends on nothing of users but their names and groups.

    What is found by identities keeps those alive that have them, so that nobody else comes to.
    """

    def __init__(self) -> None:
        self._same: dict[tuple[int, int], tuple[T, requests.User, requests.Attributes]] = {}
        self._equal: dict[tuple[str, tuple[str, ...], requests.Attributes], T] = {}

    def get(self, user: requests.User, attributes: requests.Attributes) -> T | None:
        found = self._same.get((id(user), id(attributes)))
        if found is not None:
            return found[0]
        equal = self._equal.get((user.name, user.groups, attributes))
        if equal is not None:
            self._put_same(user, attributes, equal)
        return equal

    def put(self, user: requests.User, attributes: requests.Attributes, what: T) -> T:
        """Of too many all are forgotten."""
        if len(self._equal) >= MOST:
            self._equal.clear()
        self._equal[user.name, user.groups, attributes] = what
        self._put_same(user, attributes, what)
        return what

    def clear(self) -> None:
        self._same.clear()
        self._equal.clear()

    def _put_same(self, user: requests.User, attributes: requests.Attributes, what: T) -> None:
        if len(self._same) >= MOST:
            self._same.clear()
        self._same[id(user), id(attributes)] = what, user, attributes
