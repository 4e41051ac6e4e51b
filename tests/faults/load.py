"""Load without faults: a long backlog, many scans that report at once, alerts in between.

    python -m tests.faults.load [--steady] [--scans N] [--running N] [--seconds S]

Hurried scans come and go as fast as the machine lets them. With `--steady`, all scans report at a real
scanner's cadence for so many seconds, counted from when all of them run, and end over some minutes; sweeps
come each minute, and users look. Nothing is measured while scans are started.

Prints a table, and exits with 1 where a request failed, an alert had to wait for others, or a function's
memory grew; with `--steady` also where requests of a kind took more than a second (p99), or an event waited
for the broker for longer than two sweeps.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from skydriver.model.phases import ALERT_PRIORITY, Phase
from tests.bench.figures import quantile
from tests.faults.dice import Dice
from tests.faults.door import Manners
from tests.faults.play import Cadence
from tests.faults.players import Notes, players
from tests.faults.points import Odds
from tests.faults.world import World, world

MAX_GROWTH = 1.15
"""By how much a function's memory may grow from the middle third of a run to the last."""
MAX_P99 = 1.0
"""Seconds."""
SWEEP = 60.0
"""Seconds from one sweep of the deployment to the next."""
STARTS = 200
"""Steady scans that are started a minute. Two processors start four a second."""
ENDING = 300.0
"""Seconds over which steady scans end, and then once more what all of them get to be over."""
IN_FLIGHT = 12
"""Scanner servers that may be made between an alert's submission and its own: their launches had begun."""


@dataclass(frozen=True)
class Plan:
    """A run.

    Attributes:
        scans: that are asked for at once.
        running: that may work at once.
        seconds: that a hurried run may take; that the scans of a steady one report for.
        is_steady: whether scans report at a real scanner's cadence.
        seed: of all that is thrown.
    """

    scans: int
    running: int
    seconds: float
    is_steady: bool
    seed: int

    @property
    def ramp(self) -> float:
        """Seconds until all of a steady run's scans work."""
        return 60.0 * (2 + self.running / STARTS) if self.is_steady else 0.0

    @property
    def over(self) -> float:
        """Seconds after which all scans are to have ended."""
        return self.ramp + self.seconds + (2 * ENDING if self.is_steady else 0.0)


@dataclass
class Findings:
    """What was seen.

    Attributes:
        since: when that began, in seconds since the epoch.
        answers: to users, by status.
        alerts: when they were asked for, by scan.
        memory: of each function, in MiB.
        running: scans that run.
        outbox_ages: seconds that the oldest event has waited for the broker.
        requests: seconds that answers took, by what was asked.
    """

    since: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    alerts: dict[str, float] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    running: list[int] = field(default_factory=list)
    outbox_ages: list[float] = field(default_factory=list)
    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


async def run(here: World, plan: Plan) -> Findings:
    """Fill the backlog, then send alerts, read, and look at memory until all has ended, or time is over."""
    found, dice = Findings(), Dice(here.seed, "load")
    places = asyncio.Semaphore(4)

    async def call(what: str, path: str, **arguments: Any) -> httpx.Response:
        began = time.perf_counter()
        answer = await here.client.request(what.split()[0], path, timeout=120, **arguments)
        found.requests[what].append(time.perf_counter() - began)
        found.answers[answer.status_code] += 1
        return answer

    async def ask(priority: int) -> None:
        async with places:
            asked = time.time()
            answer = await call("POST scan", "/scan", json=arguments(priority, dice.randint(1, 20)))
        if answer.is_success and priority >= ALERT_PRIORITY:
            found.alerts[answer.json()["scan_id"]] = asked

    async def send_alerts() -> None:
        while True:
            await asyncio.sleep(10.0)
            await ask(ALERT_PRIORITY)

    async def read() -> None:
        while True:
            await asyncio.sleep(1.0)
            running = await here.db["scans"].find({"phase": Phase.RUNNING}, {"_id": 1}).to_list()
            if running:
                await call("GET status", f"/scan/{dice.choice(running)['_id']}/status")
            await call("GET overview", "/scans/overview")
            await call("POST find", "/scans/find", json={"filter": {"event_metadata.run_id": 1}})

    async def look() -> None:
        while True:
            await asyncio.sleep(2.0)
            if (
                time.time() < found.since + plan.seconds
            ):  # a function that is used first at the end is no leak
                for name in here.names:
                    if process := here.process(name):
                        found.memory[name].append(process.memory_info().rss / 2**20)
            found.running.append(await here.db["scans"].count_documents({"phase": Phase.RUNNING}))
            oldest = await here.db["scans"].find_one({"outbox_since": {"$gt": 0}}, sort=[("outbox_since", 1)])
            found.outbox_ages.append(time.time() - oldest["outbox_since"] if oldest else 0.0)

    began = time.time()
    asking = asyncio.gather(*(ask(dice.randint(0, 10)) for _ in range(plan.scans)))
    await asyncio.sleep(plan.ramp)
    found.since = time.time()
    found.requests.clear()
    alerts = asyncio.create_task(send_alerts())
    aside = [alerts, *(asyncio.create_task(one()) for one in ((look, read) if plan.is_steady else (look,)))]
    await asking
    while time.time() < began + plan.over:
        if time.time() > found.since + plan.seconds:
            alerts.cancel()  # so that all can end
        if not await here.db["scans"].count_documents({"phase": {"$ne": Phase.ENDED}}, limit=1):
            break
        await asyncio.sleep(1.0)
    for task in aside:
        task.cancel()
    await asyncio.wait(aside)
    return found


def arguments(priority: int, run_id: int) -> dict[str, Any]:
    """Make the arguments of a scan."""
    return {
        "docker_tag": "latest",
        "cluster": {"near": 1},
        "reco_algo": "millipede_wilks",
        "event_i3live_json": {"value": {"data": {"run": run_id}, "frames": "x" * 20_000}},
        "nsides": {"1": 0},
        "real_or_simulated_event": "simulated",
        "max_pixel_reco_time": 60,
        "priority": priority,
    }


def overtaken(noted: Notes, found: Findings) -> dict[str, int]:
    """Say of each alert how many others' servers were made between its submission and its own."""
    made = sorted(
        (life.made, life.labels["skydriver/scan-id"])
        for life in noted.lives
        if life.labels["skydriver/kind"] == "scanner"
    )
    own = {scan_id: at for at, scan_id in reversed(made)}
    return {
        alert: sum(
            asked < at < own.get(alert, time.time()) and other not in found.alerts for at, other in made
        )
        for alert, asked in found.alerts.items()
    }


def growth(samples: list[float]) -> float:
    """By how much the mean of the last third is above that of the middle third."""
    third = max(1, len(samples) // 3)
    middle, last = samples[third : 2 * third] or samples, samples[-third:]
    return (sum(last) / len(last)) / (sum(middle) / len(middle))


def quiet_world(folder: Path, plan: Plan, jobs_url: str) -> AbstractAsyncContextManager[World]:
    """Make a world in which nothing fails, with a job host that is elsewhere."""
    settings = {
        "SCANS_RUNNING": str(plan.running),
        "STARTS_PER_MINUTE": str(STARTS if plan.is_steady else 2 * plan.running),
        "REDRIVE_AFTER": "60",
        "STARTUP_DEADLINE": "600",
        "STEP_DEADLINE": "40",
        "STEP_LEASE": "120",
        "CALL_TIMEOUT": "20",
    }
    return world(
        folder,
        seed=plan.seed,
        odds=Odds(),
        manners=Manners(),
        settings=settings,
        service_timeout=60.0,
        jobs_url=jobs_url,
        schedule="* * * * *" if plan.is_steady else "* * * * * *",
    )


async def main(plan: Plan) -> int:
    """Run, and print what was seen; the exit code."""
    cadence = Cadence(time.time() + plan.ramp + plan.seconds, ending=ENDING) if plan.is_steady else None
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder, pace = Path(name), 1.0 if plan.is_steady else 8.0
        (folder / "world").mkdir()
        async with (
            players(folder / "players", seed=plan.seed, pace=pace, cadence=cadence) as playing,
            quiet_world(folder / "world", plan, playing.jobs_url) as here,
        ):
            before = psutil.cpu_times()
            began = time.time()
            found = await run(here, plan)
            took, after = time.time() - began, psutil.cpu_times()
            ends = Counter(
                [
                    f"{scan['phase']} {scan['outcome']}"
                    async for scan in here.db["scans"].find({}, {"phase": 1, "outcome": 1})
                ]
            )
            noted = await playing.end()
    for report in noted.reports:
        if report.asked < found.since:
            continue
        found.requests[f"a scanner's {report.kind}"].append(report.answered - report.asked)
    behind = overtaken(noted, found)
    refused = Counter(report.kind for report in noted.reports if report.status != 200)
    bad = [f"answers: {dict(found.answers)}"] if set(found.answers) != {200} else []
    bad += [f"reports were refused: {dict(refused)}"] if refused else []
    bad += [f"{n} times a report had no answer: {why}" for why, n in Counter(noted.dropped).items()]
    bad += [f"alert {alert}: {n} others' servers before it" for alert, n in behind.items() if n > IN_FLIGHT]
    bad += [
        f"{name} grew by {growth(samples):.2f}"
        for name, samples in found.memory.items()
        if len(samples) > 30 and growth(samples) > MAX_GROWTH
    ]
    if plan.is_steady:
        bad += [
            f"{what}: p99 {p99:.2f} s"
            for what, samples in found.requests.items()
            if (p99 := quantile(samples, 0.99)) > MAX_P99
        ]
        if (oldest := max(found.outbox_ages, default=0.0)) > 2 * SWEEP:
            bad.append(f"an event waited for {oldest:.0f} s")
    print(f"{sum(ends.values())} scans in {took:.0f} s: {dict(ends)}")
    print(f"at most {max(found.running, default=0)} scans running at once, {len(noted.reports)} reports")
    print(
        f"{len(behind)} alerts; others' servers made between an alert and its own: {Counter(behind.values())}"
    )
    print(f"CPU seconds of the machine: {after.user - before.user + after.system - before.system:.0f}")
    print(f"the oldest event waited for {max(found.outbox_ages, default=0.0):.0f} s for the broker")
    for what, samples in sorted(found.requests.items()):
        middle, p99, most = (1000 * quantile(samples, q) for q in (0.5, 0.99, 1.0))
        print(
            f"  {what:24} {len(samples):6} times: {middle:5.0f} ms, p99 {p99:5.0f} ms, at most {most:5.0f} ms"
        )
    for name, samples in sorted(found.memory.items()):
        first, most, last = samples[0], max(samples), samples[-1]
        print(f"  {name:24} {first:6.1f} MiB at first, {most:6.1f} at most, {last:6.1f} at last")
    print("\n".join(["problems:", *bad] if bad else ["no problem"]))
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.faults.load")
    parser.add_argument("--steady", action="store_true")
    parser.add_argument("--scans", type=int)
    parser.add_argument("--running", type=int)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    scans, running = (1000, 1000) if given.steady else (2000, 200)
    asked = Plan(given.scans or scans, given.running or running, given.seconds, given.steady, given.seed)
    sys.exit(asyncio.run(main(asked)))
