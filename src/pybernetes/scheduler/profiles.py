"""A profile: the plugins, with their weights and arguments, that pods of one `schedulerName` are placed by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pybernetes.scheduler import configuration, cycle, preemption, registry
from pybernetes.scheduler.plugins import node_resources_fit, plugin, table

DEFAULT = configuration.DEFAULT_PROFILE
_TYPES = {"filter": "FilterPlugin", "score": "ScorePlugin", "postFilter": "PostFilterPlugin"}


class Profile(NamedTuple):
    """`preemption` is None where pods of this profile do not preempt."""

    name: str
    plugins: tuple[cycle.Weighted, ...]
    preemption: preemption.Args | None


def default(name: str = DEFAULT, known: registry.Registry | None = None) -> Profile:
    """All plugins, as upstream has them where nothing is configured."""
    return build(configuration.Profile(schedulerName=name), known or registry.Registry())


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
    filters = _at("filter", given.plugins.filter, everywhere, known, _filters)
    scores = _at("score", given.plugins.score, everywhere, known, _scores)
    preempting = _at("postFilter", given.plugins.postFilter, everywhere, known, lambda _: False)
    plugins = []
    for name in (*filters, *(name for name in scores if name not in filters)):
        one = make(name)
        if one is not None:
            plugins.append(cycle.Weighted(one, scores.get(name, 0) or 1, name in filters, name in scores))
    removal = None
    if table.POST_FILTER in preempting:
        config = configs.get(table.POST_FILTER)
        args = configuration.arguments_of(config, known) if config is not None else None
        removal = args if isinstance(args, preemption.Args) else preemption.Args()
    return Profile(given.schedulerName or DEFAULT, tuple(plugins), removal)


def _multi_point(asked: configuration.PluginSet, known: registry.Registry) -> dict[str, int]:
    """The plugins that work wherever they can, with their weights: the default ones as changed by the configuration."""
    defaults = {name: kind.weight for name, kind in (known.builtin | known.others).items()}
    defaults |= dict.fromkeys(registry.FIXED, 0)
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
    able: Callable[[type[plugin.Plugin]], bool],
) -> dict[str, int]:
    """The plugins at one point, in order, with their weights: what is said for the point itself goes first."""

    def works(name: str) -> bool:
        kind = known.find(name)
        return registry.FIXED.get(name) == point or (kind is not None and able(kind))

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


def _filters(kind: type[plugin.Plugin]) -> bool:
    return kind.reject is not plugin.Plugin.reject


def _scores(kind: type[plugin.Plugin]) -> bool:
    return kind.score is not plugin.Plugin.score or kind.rank is not plugin.Plugin.rank
