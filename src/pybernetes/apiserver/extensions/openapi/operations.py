"""What can be done with a resource: its paths with their operations, as upstream names them, for both versions.

An `Operation` says what both forms of the document are rendered from. Names follow a rule (`readAppsV1NamespacedScale`)
that client generators rely on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pybernetes.api import scheme
from pybernetes.apiserver.extensions.openapi import parameters, schemas
from pybernetes.apiserver.extensions.openapi.parameters import Parameter

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
BUILT_IN_MEDIA = (JSON, YAML, PROTOBUF)
CUSTOM_MEDIA = (JSON, YAML)
WATCH = ";stream=watch"
BUILT_IN_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CUSTOM_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
STATUS, DELETE_OPTIONS, PATCH, WATCH_EVENT = (
    META + name for name in ("Status", "DeleteOptions", "Patch", "WatchEvent")
)
STRING = ""
"""In place of a definition: a plain string."""

# Upstream answers a deletion of these with the object, of all others with a Status.
ANSWERED_WITH_OBJECT = {
    "": (
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    ),
    "resource.k8s.io": (
        "deviceclasses",
        "devicetaintrules",
        "resourceclaims",
        "resourceclaimtemplates",
        "resourcepoolstatusrequests",
        "resourceslices",
    ),
    "storage.k8s.io": ("csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses"),
}
_CONNECT_METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
_PHRASES = {200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized"}


class Operation(NamedTuple):
    """One method of a path. `answers` is code -> definition; `body` a definition or None."""

    method: str
    id: str
    description: str
    tag: str
    answers: dict[int, str]
    produces: Sequence[str]
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    body_required: bool = True
    consumes: Sequence[str] = ("*/*",)
    action: str = ""
    gvk: tuple[str, str, str] | None = None
    deprecated: bool = False


class Served(NamedTuple):
    """A resource or subresource, with the definition that its objects have; `custom` ones have no protobuf."""

    resource: scheme.Resource
    definition: str
    list_definition: str = ""
    custom: bool = False

    @property
    def gvk(self) -> tuple[str, str, str]:
        resource = self.resource
        if not resource.kind_version:
            return resource.group, resource.version, resource.kind
        group, _, version = resource.kind_version.rpartition("/")
        return group, version, resource.kind

    @property
    def media(self) -> Sequence[str]:
        return CUSTOM_MEDIA if self.custom else BUILT_IN_MEDIA


def tag(group: str, version: str) -> str:
    return f"{_group_word(group)}_{version}" if version else _group_word(group)


def _group_word(group: str) -> str:
    """`rbac.authorization.k8s.io` -> `rbacAuthorization`."""
    first, *rest = group.removesuffix(".k8s.io").split(".") if group else ["core"]
    return first.replace("-", "_") + "".join(part.capitalize() for part in rest)


def _prefix(group: str, version: str) -> str:
    word = _group_word(group)
    return word[:1].upper() + word[1:] + version[:1].upper() + version[1:]


def group_version(group: str, version: str) -> tuple[str, Operation]:
    """The path of the legacy discovery document of a group and version."""
    path = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    return path, _discovery(
        f"get{_prefix(group, version)}APIResources", tag(group, version), META + "APIResourceList", "resources"
    )


def group(name: str) -> tuple[str, Operation]:
    return f"/apis/{name}/", _discovery(f"get{_prefix(name, '')}APIGroup", tag(name, ""), META + "APIGroup", "versions")


def _discovery(operation_id: str, tagged: str, answer: str, what: str) -> Operation:
    answers = {200: answer, 401: STRING}
    return Operation(
        "get", operation_id, f"which {what} there are", tagged, answers, BUILT_IN_MEDIA, consumes=BUILT_IN_MEDIA
    )


ROOTS = (
    ("/api/", _discovery("getCoreAPIVersions", "core", META + "APIVersions", "versions")),
    ("/apis/", _discovery("getAPIVersions", "apis", META + "APIGroupList", "groups")),
    (
        "/version/",
        Operation(
            "get",
            "getCodeVersion",
            "which version is served",
            "version",
            {200: "io.k8s.apimachinery.pkg.version.Info", 401: STRING},
            (JSON,),
            consumes=(JSON,),
        ),
    ),
)


def of(parent: scheme.Resource, served: Served) -> Iterator[tuple[str, Operation]]:
    """The operations of a resource (then it is its own parent) or subresource, each with its path."""
    subresource = served.resource.name.partition("/")[2]
    maker = _Maker(parent, served, subresource)
    if not subresource:
        yield from maker.collection()
        yield from maker.watches()
    yield from maker.named()


class _Maker:
    def __init__(self, parent: scheme.Resource, served: Served, subresource: str) -> None:
        resource = served.resource
        self.served = served
        self.verbs = frozenset(resource.verbs)
        self.parent = parent
        self.subresource = subresource
        self.tag = tag(resource.group, resource.version)
        self.prefix = _prefix(resource.group, resource.version)
        self.root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        self.scope = "/namespaces/{namespace}" if resource.namespaced else ""
        space = (parameters.NAMESPACE,) if resource.namespaced else ()
        self.space = (*space, parameters.PRETTY)
        kind = parent.kind
        part = subresource[:1].upper() + subresource[1:]
        self.what = ("Namespaced" if resource.namespaced else "") + kind + part
        self.named_space = (parameters.named(parent.kind if not subresource else served.resource.kind), *self.space)
        self.path = f"{self.root}{self.scope}/{parent.name}"
        self.path_named = f"{self.path}/{{name}}" + (f"/{subresource}" if subresource else "")
        self.noun = f"{subresource} of {kind}" if subresource else kind

    def operation(self, method: str, verb: str, action: str, answers: dict[int, str], **rest: Any) -> Operation:
        """`verb` begins the operation's name."""
        return Operation(
            method,
            rest.pop("id", f"{verb}{self.prefix}{self.what}"),
            f"{verb} {self.noun}",
            self.tag,
            {**answers, 401: STRING},
            rest.pop("produces", self.served.media),
            action=action,
            gvk=self.served.gvk,
            **rest,
        )

    def collection(self) -> Iterator[tuple[str, Operation]]:
        definition = self.served.definition
        if "deletecollection" in self.verbs:
            yield (
                self.path,
                self.operation(
                    "delete",
                    "delete",
                    "deletecollection",
                    {200: STATUS},
                    id=f"delete{self.prefix}Collection{self.what}",
                    parameters=self.space + parameters.DELETE_COLLECTION,
                    body=None if self.served.custom else DELETE_OPTIONS,
                    body_required=False,
                ),
            )
        if "list" in self.verbs:
            yield self.path, self._list(f"list{self.prefix}{self.what}", self.space)
            if self.scope:
                yield (
                    f"{self.root}/{self.parent.name}",
                    self._list(f"list{self.prefix}{self.parent.kind}ForAllNamespaces", (parameters.PRETTY,)),
                )
        if "create" in self.verbs:
            yield (
                self.path,
                self.operation(
                    "post",
                    "create",
                    "post",
                    dict.fromkeys((200, 201, 202), definition),
                    parameters=self.space + parameters.WRITE,
                    body=definition,
                ),
            )

    def _list(self, operation_id: str, space: tuple[Parameter, ...]) -> Operation:
        return self.operation(
            "get",
            "list",
            "list",
            {200: self.served.list_definition},
            id=operation_id,
            produces=self._streaming(),
            parameters=space + parameters.LIST,
        )

    def _streaming(self) -> tuple[str, ...]:
        media = self.served.media
        if self.served.custom:
            return tuple(media)
        return (*media, *(one + WATCH for one in media if one != YAML))

    def watches(self) -> Iterator[tuple[str, Operation]]:
        """The paths from before `watch` was a parameter."""
        if "watch" not in self.verbs or self.served.custom:
            return
        kind = self.parent.kind
        root = f"{self.root}/watch"
        scoped = f"{root}{self.scope}/{self.parent.name}"
        if self.scope:
            name = f"watch{self.prefix}{kind}ListForAllNamespaces"
            yield f"{root}/{self.parent.name}", self._watch(name, "watchlist", (parameters.PRETTY,))
        yield scoped, self._watch(f"watch{self.prefix}{self.what}List", "watchlist", self.space)
        yield scoped + "/{name}", self._watch(f"watch{self.prefix}{self.what}", "watch", self.named_space)

    def _watch(self, operation_id: str, action: str, space: tuple[Parameter, ...]) -> Operation:
        return self.operation(
            "get",
            "watch",
            action,
            {200: WATCH_EVENT},
            id=operation_id,
            produces=self._streaming(),
            parameters=space + parameters.LIST,
        )

    def named(self) -> Iterator[tuple[str, Operation]]:
        if self.subresource in parameters.CONNECT:
            yield from self._connect()
            return
        path, definition, space = self.path_named, self.served.definition, self.named_space
        if "get" in self.verbs:
            is_log = self.subresource == "log"
            yield (
                path,
                self.operation(
                    "get",
                    "read",
                    "get",
                    {200: STRING if is_log else definition},
                    parameters=space + (parameters.LOG if is_log else ()),
                    produces=("text/plain", *self.served.media) if is_log else self.served.media,
                ),
            )
        if "update" in self.verbs:
            answers = dict.fromkeys((200, 201), definition)
            yield (
                path,
                self.operation("put", "replace", "put", answers, parameters=space + parameters.WRITE, body=definition),
            )
        if "patch" in self.verbs:
            yield (
                path,
                self.operation(
                    "patch",
                    "patch",
                    "patch",
                    {200: definition} if self.served.custom else dict.fromkeys((200, 201), definition),
                    parameters=space + parameters.PATCH,
                    body=PATCH,
                    consumes=CUSTOM_PATCHES if self.served.custom else BUILT_IN_PATCHES,
                ),
            )
        if "delete" in self.verbs:
            with_object = self.parent.name in ANSWERED_WITH_OBJECT.get(self.parent.group, ())
            yield (
                path,
                self.operation(
                    "delete",
                    "delete",
                    "delete",
                    dict.fromkeys((200, 202), definition if with_object else STATUS),
                    parameters=space + parameters.DELETE,
                    body=DELETE_OPTIONS,
                    body_required=False,
                ),
            )
        if self.subresource and "create" in self.verbs:
            yield (
                path,
                self.operation(
                    "post",
                    "create",
                    "post",
                    dict.fromkeys((200, 201, 202), definition),
                    parameters=space + parameters.WRITE,
                    body=definition,
                ),
            )

    def _connect(self) -> Iterator[tuple[str, Operation]]:
        proxied = self.subresource == "proxy"
        space = tuple(p for p in self.named_space if p is not parameters.PRETTY)
        for method in _CONNECT_METHODS if proxied else ("get", "post"):
            name = f"connect{self.prefix}{method.capitalize()}{self.what}"
            options = parameters.CONNECT[self.subresource]
            operation = self.operation(
                method, "connect", "connect", {200: STRING}, id=name, parameters=space + options, produces=("*/*",)
            )
            yield self.path_named, operation
            if proxied:
                behind = operation._replace(id=name + "WithPath", parameters=(*space, parameters.PATH, *options))
                yield f"{self.path_named}/{{path}}", behind


# -- the two forms


def path_item(found: Iterable[Operation], version: int) -> dict[str, Any]:
    """The operations of a path as a tree; parameters that all have in common stand beside them."""
    listed = list(found)
    shared = set(listed[0].parameters).intersection(*(operation.parameters for operation in listed))
    render = _operation_2 if version == 2 else _operation_3
    tree: dict[str, Any] = {}
    for operation in listed:
        own = sorted((p for p in operation.parameters if p not in shared), key=_by_name)
        tree[operation.method] = render(operation, own)
    if shared:
        tree["parameters"] = [_parameter(p, version) for p in sorted(shared, key=_by_name)]
    return dict(sorted(tree.items()))


def _by_name(parameter: Parameter) -> tuple[str, str]:
    return parameter.name, parameter.place


def _parameter(parameter: Parameter, version: int) -> dict[str, Any]:
    if version == 2 and parameter in _shared_parameters():
        return {"$ref": f"#/parameters/{_shared_parameters()[parameter]}"}
    return parameter.tree(version)


@functools.cache
def _shared_parameters() -> dict[Parameter, str]:
    """Those that stand once in a document of version 2, with the names that they have there."""
    found = dict.fromkeys(
        (
            parameters.NAMESPACE,
            parameters.PRETTY,
            *parameters.PATCH,
            *parameters.WRITE,
            *parameters.LIST,
            *parameters.DELETE_COLLECTION,
        )
    )
    names = {parameter: parameter.name for parameter in found}
    names[parameters.PATCH_MANAGER] = "fieldManager-patch"
    return names


def shared_parameters() -> dict[str, Any]:
    return {name: parameter.tree(2) for parameter, name in sorted(_shared_parameters().items(), key=lambda p: p[1])}


def _common(operation: Operation) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "description": operation.description,
        "operationId": operation.id,
        "tags": [operation.tag],
    }
    if operation.action:
        tree["x-kubernetes-action"] = operation.action
    if operation.gvk is not None:
        group, version, kind = operation.gvk
        tree[schemas.GVK] = {"group": group, "kind": kind, "version": version}
    return tree


def _schema(definition: str, root: str) -> dict[str, Any]:
    return {"$ref": root + definition} if definition else {"type": "string"}


def _operation_2(operation: Operation, own: list[Parameter]) -> dict[str, Any]:
    tree = _common(operation)
    tree["consumes"], tree["produces"] = list(operation.consumes), list(operation.produces)
    tree["schemes"] = ["https"]
    listed: list[dict[str, Any]] = []
    if operation.body is not None:
        body: dict[str, Any] = {"in": "body", "name": "body", "schema": _schema(operation.body, schemas.REF_2)}
        if operation.body_required:
            body["required"] = True
        listed.append(body)
    listed += [_parameter(parameter, 2) for parameter in own]
    if listed:
        tree["parameters"] = listed
    tree["responses"] = {
        str(code): {"description": _PHRASES[code]}
        | ({} if code == 401 else {"schema": _schema(definition, schemas.REF_2)})
        for code, definition in operation.answers.items()
    }
    return dict(sorted(tree.items()))


def _operation_3(operation: Operation, own: list[Parameter]) -> dict[str, Any]:
    tree = _common(operation)
    if own:
        tree["parameters"] = [_parameter(parameter, 3) for parameter in own]
    if operation.body is not None:
        schema = {"schema": _schema(operation.body, schemas.REF_3)}
        body: dict[str, Any] = {"content": dict.fromkeys(sorted(operation.consumes), schema)}
        if operation.body_required:
            body["required"] = True
        tree["requestBody"] = body
    answers: dict[str, Any] = {}
    for code, definition in operation.answers.items():
        answers[str(code)] = answer = {"description": _PHRASES[code]}
        if code != 401:
            schema = {"schema": _schema(definition, schemas.REF_3)}
            answer["content"] = dict.fromkeys(sorted(operation.produces), schema)  # type: ignore[assignment]
    tree["responses"] = answers
    return dict(sorted(tree.items()))
