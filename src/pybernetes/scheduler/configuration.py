"""`KubeSchedulerConfiguration` v1: what a configuration file may hold, read strictly and checked as upstream does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pybernetes.api import codecs, fields, names, strictness, wording
from pybernetes.scheduler import registry
from pybernetes.scheduler.plugins import arguments

GROUP_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"
DEFAULT_PROFILE = "default-scheduler"
# Plugins of earlier versions.
_REMOVED = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")


class ConfigurationError(ValueError):
    """A configuration that cannot be used; the message is upstream's."""


class Plugin(msgspec.Struct, kw_only=True):
    """A plugin in a set; a weight of 0 stands for none given."""

    name: str = ""
    weight: int = 0


class PluginSet(msgspec.Struct, kw_only=True):
    """What is switched on and off at one point; `*` switches off all that are on by default."""

    enabled: list[Plugin] = []
    disabled: list[Plugin] = []


class Plugins(msgspec.Struct, kw_only=True):
    """The points; `multiPoint` stands for all at which a plugin has something to say."""

    preEnqueue: PluginSet = msgspec.field(default_factory=PluginSet)
    queueSort: PluginSet = msgspec.field(default_factory=PluginSet)
    preFilter: PluginSet = msgspec.field(default_factory=PluginSet)
    filter: PluginSet = msgspec.field(default_factory=PluginSet)
    postFilter: PluginSet = msgspec.field(default_factory=PluginSet)
    preScore: PluginSet = msgspec.field(default_factory=PluginSet)
    score: PluginSet = msgspec.field(default_factory=PluginSet)
    reserve: PluginSet = msgspec.field(default_factory=PluginSet)
    permit: PluginSet = msgspec.field(default_factory=PluginSet)
    preBind: PluginSet = msgspec.field(default_factory=PluginSet)
    bind: PluginSet = msgspec.field(default_factory=PluginSet)
    postBind: PluginSet = msgspec.field(default_factory=PluginSet)
    multiPoint: PluginSet = msgspec.field(default_factory=PluginSet)
    placementGenerate: PluginSet = msgspec.field(default_factory=PluginSet)
    placementScore: PluginSet = msgspec.field(default_factory=PluginSet)


class PluginConfig(msgspec.Struct, kw_only=True):
    """Arguments of one plugin, as they are written."""

    name: str = ""
    args: dict[str, Any] = {}


class Profile(msgspec.Struct, kw_only=True):
    """What pods of one `schedulerName` are placed by."""

    schedulerName: str | None = None
    percentageOfNodesToScore: int | None = None
    plugins: Plugins = msgspec.field(default_factory=Plugins)
    pluginConfig: list[PluginConfig] = []


class ManagedResource(msgspec.Struct, kw_only=True):
    """A resource that an extender looks after; `ignoredByScheduler`: it alone does."""

    name: str = ""
    ignoredByScheduler: bool = False


class TLSConfig(msgspec.Struct, kw_only=True):
    """How an extender is reached over TLS; data is base64."""

    insecure: bool = False
    serverName: str = ""
    certFile: str = ""
    keyFile: str = ""
    caFile: str = ""
    certData: str = ""
    keyData: str = ""
    caData: str = ""


class Extender(msgspec.Struct, kw_only=True):
    """A service that is asked over HTTP; verbs are appended to the prefix, and those left out are not asked for."""

    urlPrefix: str = ""
    filterVerb: str = ""
    preemptVerb: str = ""
    prioritizeVerb: str = ""
    weight: int = 0
    bindVerb: str = ""
    enableHTTPS: bool = False
    tlsConfig: TLSConfig | None = None
    httpTimeout: str = ""
    nodeCacheCapable: bool = False
    managedResources: list[ManagedResource] = []
    ignorable: bool = False


class LeaderElection(msgspec.Struct, kw_only=True):
    """Durations are Go's: `15s`."""

    leaderElect: bool | None = None
    leaseDuration: str = ""
    renewDeadline: str = ""
    retryPeriod: str = ""
    resourceLock: str = "leases"
    resourceName: str = "kube-scheduler"
    resourceNamespace: str = "kube-system"


class ClientConnection(msgspec.Struct, kw_only=True):
    """How the API server is reached; limits of rate are accepted, and nothing is held back for them."""

    kubeconfig: str = ""
    acceptContentTypes: str = ""
    contentType: str = ""
    qps: float = 50.0
    burst: int = 100


class Configuration(msgspec.Struct, kw_only=True):
    """All nodes are always looked at: `percentageOfNodesToScore` and `parallelism` are checked, and change nothing."""

    apiVersion: str = GROUP_VERSION
    kind: str = KIND
    parallelism: int = 16
    leaderElection: LeaderElection = msgspec.field(default_factory=LeaderElection)
    clientConnection: ClientConnection = msgspec.field(default_factory=ClientConnection)
    enableProfiling: bool = True
    enableContentionProfiling: bool = True
    percentageOfNodesToScore: int | None = 0
    podInitialBackoffSeconds: int = 1
    podMaxBackoffSeconds: int = 10
    profiles: list[Profile] = []
    extenders: list[Extender] = []
    delayCacheUntilActive: bool = False


def read(data: bytes, known: registry.Registry) -> Configuration:
    """A configuration from YAML or JSON; `known` has the plugins whose arguments are checked.

    Raises ConfigurationError.
    """
    duplicates = strictness.duplicates(data, is_yaml=True)
    try:
        tree = codecs.decode_yaml(data)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if not isinstance(tree, dict):
        raise ConfigurationError("couldn't get version/kind; json parse error: the document is not an object")
    version, kind = str(tree.get("apiVersion", "")), str(tree.get("kind", ""))
    if not kind:
        raise ConfigurationError(f"Object 'Kind' is missing in '{codecs.encode(tree).decode()}'")
    if (version, kind) != (GROUP_VERSION, KIND):
        raise ConfigurationError(f'no kind "{kind}" is registered for version "{version}" in scheme')
    problems = [*duplicates, *(f'unknown field "{path}"' for path in strictness.unknown_fields(Configuration, tree))]
    if problems:
        raise ConfigurationError(f"strict decoding error: {', '.join(problems)}")
    found: Configuration = _typed(Configuration, tree)
    for at, profile in enumerate(found.profiles):
        for place, config in enumerate(profile.pluginConfig):
            arguments_of(config, known, f"decoding .profiles[{at}].pluginConfig[{place}]: ")
    if not found.profiles:
        found.profiles.append(Profile())
    if len(found.profiles) == 1 and found.profiles[0].schedulerName is None:
        found.profiles[0].schedulerName = DEFAULT_PROFILE
    errors = check(found, known)
    if errors:
        raise ConfigurationError(wording.aggregate(map(str, errors)))
    return found


def _typed(kind: type[Any], tree: Any) -> Any:
    try:
        return msgspec.convert(codecs.without_nulls(kind, tree), kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(str(error)) from None


def arguments_of(config: PluginConfig, known: registry.Registry, prefix: str = "") -> msgspec.Struct | None:
    """The arguments as the plugin's own type; None where the plugin is not known or takes none.

    Raises ConfigurationError.
    """
    kind = known.args_of(config.name)
    if kind is None:
        return None
    about = f"{prefix}decoding args for plugin {config.name}: "
    expected = f"{config.name}Args"
    if config.args.get("kind", expected) != expected:
        group = GROUP_VERSION.partition("/")[0]
        was = f"{config.args['kind']}.{group}"
        raise ConfigurationError(
            f"{prefix}args for plugin {config.name} were not of type {expected}.{group}, got {was}"
        )
    unknown = [f'unknown field "{path}"' for path in strictness.unknown_fields(kind, config.args)]
    if unknown:
        raise ConfigurationError(f"{about}strict decoding error: {', '.join(unknown)}")
    try:
        found: msgspec.Struct = codecs.from_tree(kind, config.args)
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{about}{error}") from None
    return found


def check(found: Configuration, known: registry.Registry) -> list[fields.FieldError]:
    """What is wrong with a configuration that could be read."""
    root = fields.Path()
    errors: list[fields.FieldError] = []
    election = found.leaderElection
    if election.leaderElect and election.resourceLock != "leases":
        detail = 'resourceLock value must be "leases"'
        errors.append(fields.invalid(root["leaderElection"]["resourceLock"], election.resourceLock, detail))
    if found.parallelism <= 0:
        detail = "should be an integer value greater than zero"
        errors.append(fields.invalid(root["parallelism"], found.parallelism, detail))
    seen: dict[str, int] = {}
    for at, profile in enumerate(found.profiles):
        path = root["profiles"][at]
        name = profile.schedulerName or ""
        if not name:
            errors.append(fields.required(path["schedulerName"]))
        errors += _percentage(path["percentageOfNodesToScore"], profile.percentageOfNodesToScore)
        errors += _plugin_problems(profile, path, known)
        if name in seen:
            errors.append(fields.duplicate(path["schedulerName"], f"profiles[{seen[name]}].schedulerName"))
        seen[name] = at
    errors += _queue_sort(found.profiles, root["profiles"])
    errors += _percentage(root["percentageOfNodesToScore"], found.percentageOfNodesToScore)
    first, last = found.podInitialBackoffSeconds, found.podMaxBackoffSeconds
    if first <= 0:
        errors.append(fields.invalid(root["podInitialBackoffSeconds"], first, "must be greater than 0"))
    if last < first:
        detail = "must be greater than or equal to PodInitialBackoffSeconds"
        errors.append(fields.invalid(root["podMaxBackoffSeconds"], last, detail))
    return errors + _extender_problems(found.extenders, root["extenders"])


def _percentage(path: fields.Path, value: int | None) -> list[fields.FieldError]:
    if value is None or 0 <= value <= 100:
        return []
    return [fields.invalid(path, value, "not in valid range [0-100]")]


def _removed(name: str, path: fields.Path) -> list[fields.FieldError]:
    if name not in _REMOVED:
        return []
    version = f'"{GROUP_VERSION}"'
    return [
        fields.invalid(
            path, name, f"was invalid in version {version} (KubeSchedulerConfiguration is version {version})"
        )
    ]


def _plugin_problems(profile: Profile, path: fields.Path, known: registry.Registry) -> list[fields.FieldError]:
    errors: list[fields.FieldError] = []
    for point in Plugins.__struct_fields__:
        if point not in ("multiPoint", "placementGenerate", "placementScore"):
            for at, one in enumerate(getattr(profile.plugins, point).enabled):
                errors += _removed(one.name, path["plugins"][point]["enabled"][at])
    seen = set()
    for at, config in enumerate(profile.pluginConfig):
        step = path["pluginConfig"][at]
        if config.name in seen:
            errors.append(fields.duplicate(step, config.name))
        seen.add(config.name)
        errors += _removed(config.name, step)
        given = arguments_of(config, known)
        if isinstance(given, arguments.Args):
            errors += given.problems(step["args"])
    return errors


def _queue_sort(profiles: Iterable[Profile], path: fields.Path) -> list[fields.FieldError]:
    errors: list[fields.FieldError] = []
    canon: PluginSet | None = None
    for at, profile in enumerate(profiles):
        sorting = profile.plugins.queueSort
        if canon is None:
            canon = sorting
            if len(sorting.enabled) > 1:
                step = path[at]["plugins"]["queueSort"]["Enabled"]
                errors.append(fields.invalid(step, len(sorting.enabled), "only one queue sort plugin can be enabled"))
        elif sorting != canon:
            step = path[at]["plugins"]["queueSort"]
            errors.append(fields.invalid(step, sorting, "must be the same for all profiles"))
    return errors


def _extender_problems(extenders: Iterable[Extender], path: fields.Path) -> list[fields.FieldError]:
    errors: list[fields.FieldError] = []
    binders = 0
    managed = set()
    for at, extender in enumerate(extenders):
        if extender.prioritizeVerb and extender.weight <= 0:
            detail = "must have a positive weight applied to it"
            errors.append(fields.invalid(path[at]["weight"], extender.weight, detail))
        binders += bool(extender.bindVerb)
        for place, resource in enumerate(extender.managedResources):
            step = path[at]["managedResources"][place]["name"]
            wrong = names.qualified_name(resource.name)
            errors += [fields.invalid(step, resource.name, problem) for problem in wrong]
            if not wrong and ("/" not in resource.name or "kubernetes.io/" in resource.name):
                errors.append(fields.invalid(step, resource.name, "is an invalid extended resource name"))
            if resource.name in managed:
                detail = "duplicate extender managed resource name"
                errors.append(fields.invalid(step, resource.name, detail))
            managed.add(resource.name)
    if binders > 1:
        found = f"found {binders} extenders implementing bind"
        errors.append(fields.invalid(path, found, "only one extender can implement bind"))
    return errors
