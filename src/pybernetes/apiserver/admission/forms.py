"""What is about to happen in the form in which a webhook or a policy looks at it: in one version, and as trees."""

from __future__ import annotations

import functools
from typing import Any

from pybernetes.api import codecs
from pybernetes.apiserver.admission import plugin, versions
from pybernetes.apiserver.resources import kind as kinds

Tree = dict[str, Any]


class Form:
    """`kind` is the version; objects are in it. `obj` may be put into the place of what it was."""

    def __init__(self, attributes: plugin.Attributes, kind: kinds.Kind[Any], obj: Any, old: Any) -> None:
        self.attributes = attributes
        self.kind = kind
        self._obj = obj
        self.old = old

    @property
    def obj(self) -> Any:
        return self._obj

    @obj.setter
    def obj(self, value: Any) -> None:
        self._obj = value
        self.__dict__.pop("tree", None)

    @functools.cached_property
    def tree(self) -> Any:
        """None where there is no object."""
        return None if self._obj is None else codecs.to_tree(self._obj)

    @functools.cached_property
    def old_tree(self) -> Any:
        return None if self.old is None else codecs.to_tree(self.old)

    @functools.cached_property
    def request(self) -> Tree:
        """The AdmissionRequest but for its uid and its objects; what is empty is left out."""
        attributes = self.attributes
        asked, shown = attributes.kind.resource, self.kind.resource
        declared = attributes.declared
        # Of a subresource with a kind of its own, that is the kind in all versions.
        own = declared != (asked.api_version, asked.kind)
        version, kind = declared if own else (shown.api_version, shown.kind)
        user = attributes.user
        info = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra},
        }
        request: Tree = {
            "kind": _kind(version, kind),
            "resource": {"group": shown.group, "version": shown.version, "resource": shown.name},
            "subResource": attributes.subresource,
            "requestKind": _kind(*declared),
            "requestResource": {"group": asked.group, "version": asked.version, "resource": asked.name},
            "requestSubResource": attributes.subresource,
            "name": attributes.name,
            "namespace": attributes.own_namespace,
        }
        made = {name: value for name, value in request.items() if value}
        made["operation"] = attributes.operation
        made["userInfo"] = {name: value for name, value in info.items() if value}
        made["dryRun"] = attributes.dry_run
        options = attributes.options()
        return made if options is None else made | {"options": options}


def _kind(api_version: str, kind: str) -> Tree:
    group, _, version = api_version.rpartition("/")
    return {"group": group, "version": version, "kind": kind}


class Forms:
    """All forms of one request, each made when it is first wanted. What is changed in one shows in the others."""

    def __init__(self, attributes: plugin.Attributes, known: versions.Versions) -> None:
        self.attributes = attributes
        self._versions = known
        self._forms: dict[int, Form] = {}

    async def of(self, kind: kinds.Kind[Any]) -> Form:
        """Raises StatusError where it cannot be converted."""
        found = self._forms.get(id(kind))
        if found is None:
            asked = self.attributes
            obj = await self._versions.convert(asked.obj, asked.kind, kind)
            old = await self._versions.convert(asked.old, asked.kind, kind)
            found = self._forms[id(kind)] = Form(asked, kind, obj, old)
        return found

    async def change(self, form: Form, obj: Any) -> None:
        """Put an object of that form into the place of what is to be written."""
        asked = self.attributes
        asked.obj = await self._versions.convert(obj, form.kind, asked.kind)
        form.obj = obj
        self._forms = {id(form.kind): form}


def settled(form: Form, tree: Any) -> Any:
    """A changed tree as an object of the form's type, with its defaults. Raises ValueError."""
    if isinstance(form.obj, dict):
        return tree
    obj = codecs.from_tree(type(form.obj), tree)
    if isinstance(obj, form.kind.resource.type):
        form.kind.default(obj)
    return obj
