"""Says of each FlowSchema whether its priority level is there (condition Dangling)."""

from __future__ import annotations

import asyncio
import logging

from pybernetes import client as clients
from pybernetes.api import errors, times
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

DANGLING = "Dangling"
RETRY_SECONDS = 1.0


class Dangling:
    """`schemas` and `levels` are where the two kinds are stored."""

    def __init__(self, schemas: collections.Collection, levels: collections.Collection, clock: clocks.Clock) -> None:
        self._schemas, self._levels, self._clock = schemas, levels, clock
        self._tasks = tasks.Tasks()
        self._changed = asyncio.Event()
        for watched in (schemas, levels):
            following.follow(watched, self._look)

    def start(self, client: clients.Client) -> None:
        """`client` writes statuses."""
        self._changed.set()
        self._tasks.spawn(self._run(client), name="conditions of flow schemas")

    async def close(self) -> None:
        await self._tasks.close()

    def _look(self, event: str, item: items.Item) -> None:
        self._changed.set()

    async def _run(self, client: clients.Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for item in self._schemas.select(selection.EVERYTHING).items:
                schema: flowcontrol_v1.FlowSchema = item.peek(flowcontrol_v1.FlowSchema)
                level = schema.spec.priorityLevelConfiguration.name
                wanted = condition(level, found=self._levels.get("", level) is not None)
                if _says(schema, wanted):
                    continue
                copy: flowcontrol_v1.FlowSchema = item.fresh(flowcontrol_v1.FlowSchema)
                wanted.lastTransitionTime = times.to_time(self._clock.time())
                copy.status.conditions = [one for one in copy.status.conditions if one.type != DANGLING] + [wanted]
                try:
                    await client.update_status(copy)
                except errors.StatusError as error:
                    if error.reason not in ("Conflict", "NotFound"):
                        log.info("flow schema %s: %s", schema.metadata.name, error)
                        self._clock.call_later(RETRY_SECONDS, self._changed.set)


def condition(level: str, *, found: bool) -> flowcontrol_v1.FlowSchemaCondition:
    """In upstream's words."""
    names = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    if found:
        return flowcontrol_v1.FlowSchemaCondition(
            type=DANGLING, status="False", reason="Found", message=f"{names} and it exists"
        )
    return flowcontrol_v1.FlowSchemaCondition(
        type=DANGLING, status="True", reason="NotFound", message=f"{names} but there is no such object"
    )


def _says(schema: flowcontrol_v1.FlowSchema, wanted: flowcontrol_v1.FlowSchemaCondition) -> bool:
    return any(
        (one.type, one.status, one.reason, one.message) == (DANGLING, wanted.status, wanted.reason, wanted.message)
        for one in schema.status.conditions
    )
