"""/healthz, /livez and /readyz: named checks, one by one with `?verbose`, and by path (`/readyz/ping`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results

ROOTS = ("/healthz", "/livez", "/readyz")
# What says None is well; a text says what is not.
Check = Callable[[], str | None]


class Health:
    """`checks` are those of each of ROOTS that is served, by their names; who gives them may add more later."""

    def __init__(self, checks: Mapping[str, Mapping[str, Check]]) -> None:
        self._checks = checks

    def paths(self) -> list[str]:
        """All that can be asked."""
        return [
            path for root, checks in self._checks.items() for path in (root, *(f"{root}/{name}" for name in checks))
        ]

    def answer(self, request: requests.Request) -> results.Document | None:
        """None if the path is not one of health."""
        root, _, name = request.path[1:].partition("/")
        checks = self._checks.get("/" + root)
        if checks is None:
            return None
        if name:
            if name not in checks:
                raise errors.path_not_found()
            checks = {name: checks[name]}
        excluded = {value for option, value in parse_qsl(request.raw_query) if option == "exclude"}
        lines = []
        failed = []
        for check, ask in checks.items():
            if check in excluded:
                lines.append(f"[+]{check} excluded: ok")
                continue
            problem = ask()
            if problem is None:
                lines.append(f"[+]{check} ok")
            else:
                lines.append(f"[-]{check} failed: reason withheld")
                failed.append(check)
        if failed:
            lines.append(f"{root} check failed\n")
            return results.Document("\n".join(lines).encode(), "text/plain; charset=utf-8", 500)
        if "verbose" not in request.query:
            return results.Document(b"ok", "text/plain; charset=utf-8")
        lines.append(f"{root} check passed\n")
        return results.Document("\n".join(lines).encode(), "text/plain; charset=utf-8")
