"""A profile: the plugins, with their weights and arguments, that pods of one `schedulerName` are placed by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pybernetes.scheduler import configuration, cycle, preemption, registry
from pybernetes.scheduler.plugins import node_resources_fit, plugin, table
from pybernetes.scheduler.plugins.default_binder import DefaultBinder

DEFAULT = configuration.DEFAULT_PROFILE
# The point at which there is one plugin only.
_SORT = "queueSort"
_TYPES = {
    "preEnqueue": "PreEnqueuePlugin",
    "queueSort": "QueueSortPlugin",
    "filter": "FilterPlugin",
    "score": "ScorePlugin",
    "postFilter": "PostFilterPlugin",
    "reserve": "ReservePlugin",
    "permit": "PermitPlugin",
    "preBind": "PreBindPlugin",
    "bind": "BindPlugin",
    "postBind": "PostBindPlugin",
}
# The methods by which a plugin does something at a point.
_METHODS = {
    "preEnqueue": ("before_queuing",),
    "queueSort": ("order",),
    "filter": ("reject",),
    "score": ("score", "rank"),
    "postFilter": ("after_filter",),
    "reserve": ("reserve",),
    "permit": ("permit",),
    "preBind": ("before_binding",),
    "bind": ("bind",),
    "postBind": ("after_binding",),
}


class Profile(NamedTuple):
    """`post_filter` has names, among them perhaps that of preemption; `pre_bind` those whose plans are carried out."""

    name: str
    plugins: tuple[cycle.Weighted, ...]
    preemption: preemption.Args
    queue_sort: plugin.Plugin
    bind: tuple[plugin.Plugin, ...]
    pre_enqueue: tuple[plugin.Plugin, ...] = ()
    post_filter: tuple[str, ...] = ()
    permit: tuple[plugin.Plugin, ...] = ()
    pre_bind: frozenset[str] = frozenset()
    post_bind: tuple[plugin.Plugin, ...] = ()


def default(name: str = DEFAULT, known: registry.Registry | None = None) -> Profile:
    """All plugins, as upstream has them where nothing is configured."""
    return build(configuration.Profile(schedulerName=name), known or registry.Registry())


def build_all(
    given: Iterable[configuration.Profile], known: registry.Registry, alone: Sequence[str] = ()
) -> dict[str, Profile]:
    """Profiles as configured, by name. Raises ConfigurationError, also where they do not go together."""
    made: dict[str, Profile] = {}
    for one in given:
        try:
            profile = build(one, known, alone)
        except configuration.ConfigurationError as error:
            name = one.schedulerName or DEFAULT
            raise configuration.ConfigurationError(
                f"initializing profiles: creating profile for scheduler name {name}: {error}"
            ) from None
        first = next(iter(made.values()), profile).queue_sort
        if profile.queue_sort.name != first.name:
            text = f'profile "{profile.name}": "{profile.queue_sort.name}", first: "{first.name}"'
            raise configuration.ConfigurationError(f"initializing profiles: different queue sort plugins for {text}")
        if profile.queue_sort.args != first.args:
            text = f'different queue sort plugin args for profile "{profile.name}"'
            raise configuration.ConfigurationError(f"initializing profiles: {text}")
        made[profile.name] = profile
    return made


def build(given: configuration.Profile, known: registry.Registry, alone: Sequence[str] = ()) -> Profile:
    """A profile as configured; `alone` are resources that extenders look after. Raises ConfigurationError."""
    configs = {config.name: config for config in given.pluginConfig}
    made: dict[str, plugin.Plugin] = {}

    def make(name: str) -> plugin.Plugin | None:
        kind = known.find(name)
        if kind is None:
            return None
        if name not in made:
            args = configuration.arguments_of(configs[name], known) if name in configs else None
            made[name] = kind(args)
            if isinstance(made[name], node_resources_fit.NodeResourcesFit):
                made[name].args.ignoredResources = [*made[name].args.ignoredResources, *alone]
        return made[name]

    everywhere = _multi_point(given.plugins.multiPoint, known)
    # Only one plugin can sort: those of other packages must be asked for.
    named = {*known.builtin, *(one.name for one in given.plugins.multiPoint.enabled)}
    sorting = {name: weight for name, weight in everywhere.items() if name in named}
    at = {
        point: _at(point, getattr(given.plugins, point), sorting if point == _SORT else everywhere, known)
        for point in _METHODS
    }
    filters, scores, reserving = at["filter"], at["score"], at["reserve"]
    plugins = []
    for name in dict.fromkeys(name for names in at.values() for name in names):
        one = make(name)
        if one is not None:
            weighted = cycle.Weighted(one, scores.get(name, 0) or 1, name in filters, name in scores, name in reserving)
            plugins.append(weighted)
    whose = f'profile with scheduler name "{given.schedulerName or DEFAULT}"'
    if len(at[_SORT]) != 1:
        text = f"only one queue sort plugin required for {whose}, but got {len(at[_SORT])}"
        raise configuration.ConfigurationError(text)
    if not at["bind"]:
        raise configuration.ConfigurationError(f"at least one bind plugin is needed for {whose}")
    config = configs.get(table.POST_FILTER)
    args = configuration.arguments_of(config, known) if config is not None else None
    return Profile(
        given.schedulerName or DEFAULT,
        tuple(plugins),
        args if isinstance(args, preemption.Args) else preemption.Args(),
        queue_sort=made[next(iter(at[_SORT]))],
        bind=tuple(made[name] for name in at["bind"]),
        pre_enqueue=tuple(made[name] for name in at["preEnqueue"]),
        post_filter=tuple(at["postFilter"]),
        permit=tuple(made[name] for name in at["permit"] if name in made),
        pre_bind=frozenset(at["preBind"]),
        post_bind=tuple(made[name] for name in at["postBind"] if name in made),
    )


def _multi_point(asked: configuration.PluginSet, known: registry.Registry) -> dict[str, int]:
    """The plugins that work wherever they can, with their weights: the default ones as changed by the configuration."""
    defaults = {name: kind.weight for name, kind in known.builtin.items()}
    defaults |= dict.fromkeys(registry.FIXED, 0)
    defaults |= {name: kind.weight for name, kind in known.others.items()}
    # It leaves nothing to those behind it.
    defaults |= {DefaultBinder.name: defaults.pop(DefaultBinder.name)}
    off = {one.name for one in asked.disabled}
    on = {one.name: one.weight for one in asked.enabled}
    found = {} if "*" in off else {name: on.get(name, weight) for name, weight in defaults.items() if name not in off}
    for name, weight in on.items():
        if not known.knows(name):
            raise configuration.ConfigurationError(f'plugin "{name}" does not exist')
        found.setdefault(name, weight)
    return found


def _at(
    point: str,
    asked: configuration.PluginSet,
    everywhere: dict[str, int],
    known: registry.Registry,
) -> dict[str, int]:
    """The plugins at one point, in order, with their weights: what is said for the point itself goes first."""

    def works(name: str) -> bool:
        kind = known.find(name)
        return registry.FIXED.get(name) == point or (kind is not None and _able(kind, point))

    off = {one.name for one in asked.disabled}
    on: dict[str, int] = {}
    for one in asked.enabled:
        if not known.knows(one.name):
            raise configuration.ConfigurationError(f'{_TYPES[point]} "{one.name}" does not exist')
        if not works(one.name):
            text = f'plugin "{one.name}" does not extend {_TYPES[point]} plugin'
            raise configuration.ConfigurationError(text)
        if one.name in on:
            raise configuration.ConfigurationError(f'plugin "{one.name}" already registered as "{_TYPES[point]}"')
        on[one.name] = one.weight
    found = {name: weight for name, weight in on.items() if name in everywhere}
    if "*" not in off:
        for name, weight in everywhere.items():
            if name not in off and works(name):
                found.setdefault(name, weight)
    return found | on


def _able(kind: type[plugin.Plugin], point: str) -> bool:
    return any(getattr(kind, method) is not getattr(plugin.Plugin, method) for method in _METHODS[point])
