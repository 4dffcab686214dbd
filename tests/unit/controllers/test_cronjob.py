from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, schedules, times
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers.cronjob import decide
from pybernetes.testing import Cluster
from tests.fakes import scrape

BORN = 1_700_000_040.0


def cron(schedule: str = "* * * * *", run: str = "5", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"annotations": {"simulated.pybernetes.io/run-seconds": run}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": template}}, **spec},
    }


def made(last: float | None = None, **spec: Any) -> batch_v1.CronJob:
    tree = cron(**spec)
    tree["metadata"]["creationTimestamp"] = times.to_time(BORN)
    if last is not None:
        tree["status"] = {"lastScheduleTime": times.to_time(last)}
    return codecs.from_tree(batch_v1.CronJob, tree)


MINUTELY = schedules.parse("* * * * *")


@pytest.mark.parametrize(
    ("given", "now", "at", "missed"),
    [
        (made(), BORN + 30, None, 0),
        (made(), BORN + 60, BORN + 60, 0),
        (made(), BORN + 119, BORN + 60, 0),
        (made(), BORN + 300, BORN + 300, 5),
        (made(last=BORN + 240), BORN + 301, BORN + 300, 0),
        (made(startingDeadlineSeconds=10), BORN + 311, None, 0),
        (made(startingDeadlineSeconds=10), BORN + 305, BORN + 300, 0),
        (made(), BORN + 60 * 200, BORN + 60 * 200, 200),
    ],
)
def test_what_is_due(given: batch_v1.CronJob, now: float, at: float | None, missed: int) -> None:
    found = decide.due(given, MINUTELY, now)
    assert (found.at, found.missed) == (at, missed)


def test_a_schedule_that_is_never_due_is_invalid() -> None:
    with pytest.raises(decide.Invalid, match="less than 1 second"):
        decide.due(made(), schedules.parse("0 0 31 2 *"), BORN + 60)


def test_the_job_of_a_start() -> None:
    job = decide.job_for(made(timeZone="Europe/Berlin"), BORN + 60)
    assert job.metadata.name == f"tick-{int(BORN + 60) // 60}"
    assert job.metadata.annotations[decide.SCHEDULED] == "2023-11-14T23:15:00+01:00"
    assert job.metadata.ownerReferences[0].kind == "CronJob"


def test_of_a_job_it_matters_whether_and_when_it_ended() -> None:
    job = decide.job_for(made(), BORN + 60)
    running, done = codecs.copy(job), codecs.copy(job)
    running.status.active = 1
    assert decide.facts(running) == decide.facts(job)
    done.status.conditions = [batch_v1.JobCondition(type="Complete", status="True")]
    assert decide.facts(done) != decide.facts(job)
    later = codecs.copy(done)
    later.status.completionTime = times.to_time(BORN + 70)
    assert decide.facts(later) != decide.facts(done)


async def names(c: Cluster) -> list[str]:
    return sorted(job.metadata.name for job in (await c.client().list(batch_v1.Job, "default")).items)


async def reasons(c: Cluster) -> set[str]:
    found = (await c.client().list(core_v1.Event, "default")).items
    return {event.reason for event in found if event.involvedObject.kind == "CronJob"}


async def test_jobs_come_by_the_minute_and_history_is_kept_short() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(cron())
        with c.no_hot_loops():
            await c.advance("10m")
        assert len(await names(c)) == 3
        tick = await c.client().get(batch_v1.CronJob, "tick", "default")
        assert tick.status.lastScheduleTime == times.to_time(c.clock.time() // 60 * 60)
        assert tick.status.lastSuccessfulTime is not None
        assert tick.status.active == []
        assert {"SuccessfulCreate", "SawCompletedJob", "SuccessfulDelete"} <= await reasons(c)


@pytest.mark.parametrize(("policy", "jobs", "active"), [("Allow", 5, 5), ("Forbid", 1, 1), ("Replace", 1, 1)])
async def test_concurrency(policy: str, jobs: int, active: int) -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(cron(run="100000", concurrencyPolicy=policy))
        await c.advance("5m10s")
        assert len(await names(c)) == jobs
        tick = await c.client().get(batch_v1.CronJob, "tick", "default")
        assert len(tick.status.active) == active
        if policy == "Forbid":
            assert "JobAlreadyActive" in await reasons(c)


async def test_a_suspended_one_rests_and_then_catches_up_once() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(cron(suspend=True))
        await c.advance("2h")
        assert await names(c) == []
        await c.apply(cron(suspend=False))
        await c.advance("1s")
        assert len(await names(c)) == 1
        assert "TooManyMissedTimes" in await reasons(c)


async def test_how_late_jobs_are_made_and_removed_is_counted() -> None:
    async with Cluster(virtual=True, nodes=1) as cluster:
        wanted = cron()
        wanted["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] = 5
        await cluster.apply([wanted])
        await cluster.advance("2m")
        found = scrape.parse(await cluster.client().raw("/metrics"))
        assert found["cronjob_controller_job_creation_skew_duration_seconds_count", ()] >= 1
        assert found["ttl_after_finished_controller_job_deletion_duration_seconds_count", ()] >= 1
