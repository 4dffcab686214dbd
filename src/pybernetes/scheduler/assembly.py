"""Puts the parts of a scheduler together; importing this imports numpy."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.client import Client
from pybernetes.informers import Informers, Recorder
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import configuration, desk, engine, extenders, metrics, profiles, registry, watching, writes


def assemble(
    client: Client,
    informers: Informers,
    *,
    clock: Clock,
    chance: Chance,
    recorder: Callable[[str], Recorder],
    config: bytes = b"",
) -> tuple[watching.Watching, engine.Engine]:
    """What follows the cluster, and what schedules; the former is to be started with the latter's queue.

    `config` is a KubeSchedulerConfiguration in YAML or JSON. Raises ConfigurationError.
    """
    known = registry.load()
    settings = configuration.read(config, known) if config else configuration.Configuration()
    alone = [r.name for one in settings.extenders for r in one.managedResources if r.ignoredByScheduler]
    wanted = settings.profiles or [configuration.Profile()]
    used = profiles.build_all(wanted, known, alone)
    cluster = watching.Watching(client, informers, used, profiles.DEFAULT, clock)
    recorders = {name: recorder(name) for name in used}
    counted = metrics.Metrics()
    working = engine.Engine(
        cluster,
        writes.Writes(client, clock),
        desk.Desk(client, cluster, recorders=recorders, clock=clock, chance=chance, counted=counted),
        profiles=used,
        outside=[extenders.Extender(one, clock) for one in settings.extenders],
        first_backoff=settings.podInitialBackoffSeconds,
        last_backoff=settings.podMaxBackoffSeconds,
        recorders=recorders,
        clock=clock,
        chance=chance,
        counted=counted,
    )
    return cluster, working
