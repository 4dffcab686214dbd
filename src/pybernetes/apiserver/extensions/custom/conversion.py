"""From one version of a custom resource to another: by name alone, or by asking the definition's webhook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from pybernetes.api import codecs, custom, errors, fields
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.resources import checks
from pybernetes.kits import chance as chances

# A review -> the answered review. Raises OSError or ValueError.
Call = Callable[[Any], Awaitable[Any]]
Types = Mapping[str, type[custom.Object]]


class Converter(Protocol):
    """`immediate` converters need nobody to wait for."""

    immediate: bool

    def convert(self, obj: custom.Object, to: type[custom.Object]) -> custom.Object:
        """For immediate converters only."""
        ...

    async def convert_all(self, listed: Sequence[custom.Object], to: type[custom.Object]) -> list[custom.Object]:
        """All in that order, in the version of the type. Raises StatusError."""
        ...


def renamed(obj: custom.Object, to: type[custom.Object]) -> custom.Object:
    """The object under the name of another version, without what that one does not know."""
    if type(obj) is to:
        return obj
    return to(obj.metadata, _pruned(to, obj.content))


def _pruned(to: type[custom.Object], content: custom.Tree) -> custom.Tree:
    pruned: Any = getattr(to.FORM, "pruned", to.FORM.settled)
    result: custom.Tree = pruned(content)
    return result


class Renaming:
    """Strategy None: nothing but the apiVersion differs."""

    immediate = True

    def convert(self, obj: custom.Object, to: type[custom.Object]) -> custom.Object:
        return renamed(obj, to)

    async def convert_all(self, listed: Sequence[custom.Object], to: type[custom.Object]) -> list[custom.Object]:
        return [renamed(obj, to) for obj in listed]


class Asking:
    """Strategy Webhook: a ConversionReview for all objects that are of another version."""

    immediate = False

    def __init__(
        self,
        definition: apiextensions_v1.CustomResourceDefinition,
        call: Call,
        chance: chances.Chance,
    ) -> None:
        conversion = definition.spec.conversion
        hook = conversion.webhook if conversion is not None else None
        self._versions = [] if hook is None else hook.conversionReviewVersions
        self._call = call
        self._chance = chance

    def convert(self, obj: custom.Object, to: type[custom.Object]) -> custom.Object:
        raise AssertionError("a webhook has to be waited for")

    async def convert_all(self, listed: Sequence[custom.Object], to: type[custom.Object]) -> list[custom.Object]:
        others = [obj for obj in listed if type(obj) is not to]
        if not others:
            return list(listed)
        first = others[0]
        source = f"{first.apiVersion}, Kind={first.kind}"
        try:
            answers = iter(await self._ask(others, to))
        except (ValueError, OSError, TimeoutError) as error:
            raise failure(f"conversion webhook for {source} failed: {error}") from None
        result = []
        for at, obj in enumerate(listed):
            if type(obj) is to:
                result.append(obj)
                continue
            try:
                result.append(checked(obj, next(answers), to))
            except ValueError as error:
                raise failure(
                    f"conversion webhook for {source} returned invalid object at index {at}: {error}"
                ) from None
        return result

    async def _ask(self, listed: Sequence[custom.Object], to: type[custom.Object]) -> list[Any]:
        version = next((version for version in self._versions if version in ("v1", "v1beta1")), None)
        if version is None:
            raise ValueError("no supported conversion review versions")
        uid, desired = self._chance.uuid(), to.DECLARED[0]
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"apiextensions.k8s.io/{version}",
            "request": {
                "uid": uid,
                "desiredAPIVersion": desired,
                "objects": [codecs.to_tree(obj) for obj in listed],
            },
        }
        return answered(await self._call(review), version, uid, len(listed))


def failure(message: str) -> errors.StatusError:
    return errors.error(500, "", message)


def answered(review: Any, version: str, uid: str, count: int) -> list[Any]:
    """The objects in a webhook's answer. Raises ValueError for one that is none, or that says no."""
    if not isinstance(review, dict):
        raise ValueError("no response provided")
    stated = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
    wanted = f"apiextensions.k8s.io/{version}, Kind=ConversionReview"
    if version == "v1" and stated != wanted:
        raise ValueError(f"expected webhook response of {wanted}, got {stated}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise ValueError("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise ValueError(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    outcome = response.get("result") or {}
    if outcome.get("status") != "Success":
        status = outcome.get("status", "")
        raise ValueError(outcome.get("message") or f"response.result.status was '{status}', not 'Success'")
    found = response.get("convertedObjects") or []
    if len(found) != count:
        raise ValueError(f"returned {len(found)} objects, expected {count}")
    return list(found)


def checked(old: custom.Object, answer: Any, to: type[custom.Object]) -> custom.Object:
    """The converted object with the metadata that it has to have: only labels and annotations may have changed.

    Raises ValueError where it is another object.
    """
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    api_version, kind = to.DECLARED
    if answer.get("apiVersion") != api_version:
        raise ValueError(f"invalid groupVersion (expected {api_version}, received {answer.get('apiVersion', '')})")
    if answer.get("kind") != kind:
        raise ValueError(f"invalid kind (expected {kind}, received {answer.get('kind', '')})")
    metadata = answer.get("metadata")
    if metadata is None:
        raise ValueError("missing metadata in converted object")
    if not isinstance(metadata, dict):
        raise ValueError("invalid metadata in converted object")
    for name, words in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        before, after = getattr(old.metadata, name), metadata.get(name) or ""
        if before != after:
            raise ValueError(f"must have the same {words}: {before} != {after}")
    meta = codecs.copy(old.metadata)
    meta.labels = _texts(metadata, "labels", checks.labels, old.metadata.labels)
    meta.annotations = _texts(metadata, "annotations", checks.annotation_map, old.metadata.annotations)
    content = {name: value for name, value in answer.items() if name not in custom.OWN}
    return to(meta, _pruned(to, content))


def _texts(
    metadata: Mapping[str, Any],
    name: str,
    check: Callable[[Mapping[str, str], fields.Path], list[fields.FieldError]],
    before: Mapping[str, str],
) -> dict[str, str]:
    found = metadata.get(name) or {}
    if not isinstance(found, dict):
        raise ValueError(f"invalid metadata.{name} in converted object")
    for key, value in found.items():
        if not isinstance(value, str):
            raise ValueError(f"metadata.{name}[{key}] must be a string, but is {type(value).__name__}")
    if found != before and (problems := check(found, fields.Path(f"metadata.{name}"))):
        raise ValueError(", ".join(map(str, problems)))
    return found
