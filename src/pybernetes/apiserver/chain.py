"""The one visible list of what a request passes, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pybernetes.api import errors, names, times
from pybernetes.apiserver import audit, results
from pybernetes.apiserver import metrics as metrics_
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import authenticator as authenticators
from pybernetes.apiserver.authn import impersonation
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.flowcontrol import longrunning
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import prometheus

# Looks at a request, completes it, or refuses it with a StatusError; what takes time is answered with an awaitable.
Check = Callable[[requests.Request], Awaitable[None] | None]


class Limits(Protocol):
    """How much may run at once: gives a request its seats, None if it needs none; or raises 429."""

    def enter(self, request: requests.Request) -> requests.Seats | None: ...


def build(
    *,
    metrics: metrics_.Metrics,
    authenticator: authenticators.Authenticator,
    authorizer: authorizers.Authorizer,
    limits: Limits,
    endpoint: Callable[[requests.Request], Awaitable[results.Result]],
    auditor: audit.Auditor | None = None,
) -> results.Handler:
    """What a request passes before its endpoint, in this order; what it comes to is counted, and noted for the audit.

    Hardly any request waits for anything here, so the steps are plain calls.
    """
    authenticate: Check = authenticator.check
    impersonate: Check = impersonation.Impersonation(authorizer).check
    authorize: Check = authorizers.Gate(authorizer, notes=auditor is not None).check

    async def handle(request: requests.Request) -> results.Result:
        seats: requests.Seats | None = None
        timed: prometheus.Histogram | None = None
        entry: audit.Entry | None = None
        known = False
        began = metrics.now()
        attribute(request)
        running = metrics.running(request)
        running.count += 1
        try:
            waiting = authenticate(request)
            if waiting is not None:
                await waiting
            known = True
            if auditor is not None:
                entry = auditor.begin(request)
            if "timeout=" in request.raw_query:
                _shorten(request)
            waiting = impersonate(request)
            if waiting is not None:
                await waiting
            entered = limits.enter(request)
            if entered is not None:
                if entered.arrive is not None:
                    await metrics.keeping(request, entered.arrive())
                timed = entered.executed
            seats = entered
            waiting = authorize(request)
            if waiting is not None:
                await waiting
            result = await endpoint(request)
            if type(result) is results.Listed and not request.loopback:
                # It may be large: whoever sends it gives the seats back.
                request.seats, seats = seats, None
                request.sized = metrics.sizes(request)
        except collections.Unwritable as error:
            # A store that cannot write now is a 500 that says so, never a crash.
            failure = errors.internal(f"etcdserver: {error}")
            metrics.count(request, failure.code, began, timed)
            if auditor is not None and entry is not None:
                auditor.refused(request, entry, failure)
            raise failure from None
        except errors.StatusError as error:
            metrics.count(request, error.code, began, timed)
            if auditor is not None and entry is not None:
                auditor.refused(request, entry, error)
            elif auditor is not None and not known:
                auditor.unknown(request, error)
            raise
        except asyncio.CancelledError:
            if not request.expired:
                if auditor is not None and entry is not None:
                    auditor.abandoned(request, entry)
                raise
            failure = _expired(request)
            metrics.count(request, failure.code, began, timed)
            if auditor is not None and entry is not None:
                auditor.refused(request, entry, failure)
            raise failure from None
        except Exception:
            if auditor is not None and entry is not None:
                auditor.panicked(request, entry)
            raise
        finally:
            running.count -= 1
            if seats is not None:
                seats.leave()
        if auditor is not None and entry is not None:
            auditor.answered(request, entry, result)
        if type(result) in results.LASTING and longrunning.is_long(request.attributes):
            metrics.last(request, getattr(result, "code", 200), began, timed)
        else:
            metrics.count(request, getattr(result, "code", 200), began, timed)
        return result

    return handle


def attribute(request: requests.Request) -> None:
    """Sets `request.attributes`."""
    watching = bool(request.raw_query) and request.flag("watch")
    request.attributes = requests.parse(request.method, request.path, watching)
    if "Selector" in request.raw_query and request.attributes.verb in SELECTING and request.attributes.resource:
        request.attributes = _selecting(request)


def _shorten(request: requests.Request) -> None:
    """Clients may want to wait less than they are let, and say so in `timeout`. Raises StatusError 400."""
    text = request.query.get("timeout", "")
    if not text or longrunning.is_long(request.attributes):
        return
    try:
        request.timeout = max(times.duration(text), 0.0)
    except ValueError as error:
        raise errors.bad_request(f"invalid timeout specified in the request URL - {error}") from None


def _expired(request: requests.Request) -> errors.StatusError:
    """The request was cancelled because its time is over: it goes on to tell its client."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    if request.attributes.verb in metrics_.READS:
        why = "request did not complete within the allotted timeout"
    else:
        why = "request did not complete within requested timeout - context deadline exceeded"
    return errors.timeout(f"Timeout: {why}", 0)


# Requests for many objects, which selectors narrow.
SELECTING = ("list", "watch", "deletecollection")


def _selecting(request: requests.Request) -> requests.Attributes:
    """With the selectors; and who may read one object by its name may list and watch it by its name."""
    attributes = request.attributes
    if "/watch/" in request.path:
        # The old way to watch, which may be for one object, does not take selectors in all its forms.
        return attributes
    found = requests.narrowing(request.query.get("fieldSelector", ""), request.query.get("labelSelector", ""))
    name = attributes.name
    if found is not None and not name and attributes.verb != "deletecollection":
        terms = (term for term in found.fields if term.field == "metadata.name" and term.equal)
        name = next((term.value for term in terms if not names.path_segment(term.value)), "")
    return attributes._replace(name=name, selectors=found)
