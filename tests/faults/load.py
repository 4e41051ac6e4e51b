"""Load without faults: a long backlog, many scans that report at once, alerts in between.

    python -m tests.faults.load [--scans 2000] [--running 200] [--seconds 900]

Prints a table, and exits with 1 where a request failed, an alert had to wait for others, a function's memory
grew, or anything does not hold that must hold whatever happens.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from skydriver.model.phases import ALERT_PRIORITY, Phase
from tests.faults.dice import Dice
from tests.faults.door import Manners
from tests.faults.points import Odds
from tests.faults.world import World, world

MAX_GROWTH = 1.15
"""By how much a function's memory may grow from the first third of a run to the last."""
IN_FLIGHT = 12
"""Scanner servers that may be made between an alert's submission and its own: their launches had begun."""


@dataclass
class Findings:
    """What was seen."""

    answers: Counter[int] = field(default_factory=Counter)
    alerts: dict[str, float] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    running: list[int] = field(default_factory=list)


async def run(here: World, *, scans: int, seconds: float, alert_every: float) -> Findings:
    """Fill the backlog, then send alerts and look at memory until the time is over and all has ended."""
    found, dice = Findings(), Dice(here.seed, "load")
    places = asyncio.Semaphore(4)

    async def ask(priority: int) -> None:
        async with places:
            asked = time.time()
            answer = await here.client.post(
                "/scan", json=arguments(priority, dice.randint(1, 20)), timeout=120
            )
        found.answers[answer.status_code] += 1
        if answer.is_success and priority >= ALERT_PRIORITY:
            found.alerts[answer.json()["scan_id"]] = asked

    async def send_alerts() -> None:
        while True:
            await asyncio.sleep(alert_every)
            await ask(ALERT_PRIORITY)

    async def look() -> None:
        while True:
            await asyncio.sleep(2.0)
            for name in here.names:
                if process := here.process(name):
                    found.memory[name].append(process.memory_info().rss / 2**20)
            found.running.append(sum(name.startswith("skyscan-") for name in servers(here.play.jobs)))

    until = time.time() + seconds
    aside = [asyncio.create_task(send_alerts()), asyncio.create_task(look())]
    await asyncio.gather(*(ask(dice.randint(0, 10)) for _ in range(scans)))
    while time.time() < until:
        if not await here.db["scans"].count_documents({"phase": {"$ne": Phase.ENDED}}, limit=1):
            break
        await asyncio.sleep(1.0)
    for task in aside:
        task.cancel()
    await asyncio.wait(aside)
    return found


def servers(jobs: Iterable[str]) -> list[str]:
    """Pick the scanner servers of all jobs."""
    return [name for name in jobs if not name.startswith("skyscan-workers-")]


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


def overtaken(here: World, found: Findings) -> dict[str, int]:
    """Say of each alert how many others' servers were made between its submission and its own."""
    made = sorted(
        (life.made, life.labels["skydriver/scan-id"])
        for life in here.play.lives
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


async def main(scans: int, running: int, seconds: float, seed: int) -> int:
    """Run, and print what was seen; the exit code."""
    settings = {
        "SCANS_RUNNING": str(running),
        "STARTS_PER_MINUTE": str(2 * running),
        "REDRIVE_AFTER": "60",
        "STEP_DEADLINE": "40",
        "STEP_LEASE": "120",
        "CALL_TIMEOUT": "20",
    }
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        async with world(
            Path(folder),
            seed=seed,
            odds=Odds(),
            manners=Manners(),
            settings=settings,
            pace=8.0,
            service_timeout=60.0,
        ) as here:
            before = psutil.cpu_times()
            began = time.time()
            found = await run(here, scans=scans, seconds=seconds, alert_every=10.0)
            took, after = time.time() - began, psutil.cpu_times()
            ends = Counter(
                [
                    f"{scan['phase']} {scan['outcome']}"
                    async for scan in here.db["scans"].find({}, {"phase": 1, "outcome": 1})
                ]
            )
            behind = overtaken(here, found)
            refused = [report for report in here.play.reports if report.status != 200]
    bad = [f"answers: {dict(found.answers)}"] if set(found.answers) != {200} else []
    bad += [f"{len(refused)} reports were refused"] if refused else []
    bad += [f"alert {alert}: {n} others' servers before it" for alert, n in behind.items() if n > IN_FLIGHT]
    bad += [
        f"{name} grew by {growth(samples):.2f}"
        for name, samples in found.memory.items()
        if len(samples) > 30 and growth(samples) > MAX_GROWTH
    ]
    print(f"{sum(ends.values())} scans in {took:.0f} s: {dict(ends)}")
    print(f"at most {max(found.running, default=0)} servers at once, {len(here.play.reports)} reports")
    print(
        f"{len(behind)} alerts; others' servers made between an alert and its own: {Counter(behind.values())}"
    )
    print(f"CPU seconds of the machine: {after.user - before.user + after.system - before.system:.0f}")
    for name, samples in sorted(found.memory.items()):
        first, most, last = samples[0], max(samples), samples[-1]
        print(f"  {name:24} {first:6.1f} MiB at first, {most:6.1f} at most, {last:6.1f} at last")
    print("\n".join(["problems:", *bad] if bad else ["no problem"]))
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.faults.load")
    parser.add_argument("--scans", type=int, default=2000)
    parser.add_argument("--running", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.scans, given.running, given.seconds, given.seed)))
