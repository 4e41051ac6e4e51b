"""A run: users ask for scans, the world breaks at random, becomes quiet, and everything is checked."""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo.errors import PyMongoError

from skydriver.model.phases import Phase
from skydriver.model.subscriptions import DeliveryState
from skydriver.store import rate_limit
from tests.faults.dice import Dice
from tests.faults.door import Manners
from tests.faults.invariants import Evidence, Verdict, judge
from tests.faults.points import Odds
from tests.faults.watch import Watch
from tests.faults.world import SCANS_RUNNING, STEP_LEASE, UNCLAIMED_RESULT_AGE, World, world

_ID = re.compile(r"[0-9a-f]{32}")

MAX_ALIVE = 32
"""Scans that users have under way at once: more than the limits allow to run."""
QUIET = 180.0
"""Seconds in which everything must have ended after the last fault."""


ODDS = Odds(kill=0.004, stall=0.001, outage=0.004, each_once=True)
MANNERS = Manners(error=0.01, lost=0.01, late=0.01)


@dataclass(frozen=True)
class Plan:
    """A run.

    Attributes:
        seed: of everything that is thrown.
        seconds: for which scans are asked for and faults happen.
        most_scans: after which no more are asked for.
        odds: of the functions' processes.
        manners: of the parts around them.
        disaster_every: mean seconds between two outages; 0 for none.
    """

    seed: int
    seconds: float
    most_scans: int = 100_000
    odds: Odds = ODDS
    manners: Manners = MANNERS
    disaster_every: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a run went."""

    plan: Plan
    faults: Counter[tuple[str, str]]
    scans: int
    ends: Counter[str]
    reasons: Counter[str]
    attempts: int
    verdict: Verdict
    points: set[str]


async def run(plan: Plan, folder: Path) -> Outcome:
    """Run it."""
    async with world(folder, seed=plan.seed, odds=plan.odds, manners=plan.manners) as here:
        watch = Watch(here.mongo, "SkyDriver_DB")
        watching = asyncio.create_task(watch.run())
        users, disasters = Users(here, plan), Disasters(here, plan)
        await here.sweep()
        here.tally.begin()
        breaking = asyncio.create_task(disasters.run())
        await users.run()
        # Faults go on while the last scans are at it, for as long as scans take.
        await _all_over(here, min(30.0, plan.seconds))
        here.tally.end()
        breaking.cancel()
        await asyncio.wait([breaking])
        await disasters.repair()
        await _all_over(here, QUIET)
        await _quiet(here)
        evidence = await _evidence(here, users, watch, disasters)
        watching.cancel()
        await asyncio.wait([watching])
        verdict = judge(evidence)
        if breaking.done() and not breaking.cancelled() and breaking.exception():
            raise AssertionError("the disasters themselves failed") from breaking.exception()
        return Outcome(
            plan,
            here.tally.counts(),
            len(evidence.scans),
            Counter(f"{scan['phase']} {scan['outcome']}" for scan in evidence.scans.values()),
            Counter(_ID.sub("ID", scan["reason"]) for scan in evidence.scans.values() if scan["reason"]),
            sum(scan["attempt"] for scan in evidence.scans.values()),
            verdict,
            {place.name for place in (here.folder / "once").iterdir()},
        )


async def _all_over(here: World, seconds: float) -> bool:
    """Wait until no scan is under way."""
    until = time.time() + seconds
    while time.time() < until:
        with suppress(PyMongoError):
            if not await here.db["scans"].count_documents({"phase": {"$ne": Phase.ENDED}}, limit=1):
                return True
        await asyncio.sleep(0.3)
    return False


_UNHEARD = [{"outbox_since": {"$exists": True}}, {"unnotified_since": {"$exists": True}}]


async def _quiet(here: World) -> None:
    """Wait until no event is under way or held back, nothing is to be delivered, and for two sweeps more."""
    until = time.time() + 60.0
    while time.time() < until:
        waiting = await here.db["scans"].count_documents({"$or": _UNHEARD}, limit=1)
        waiting += await here.db["deliveries"].count_documents({"state": DeliveryState.DUE}, limit=1)
        if not waiting and not here.broker.is_busy and not here.play.jobs:
            break
        await asyncio.sleep(0.3)
    # Results that nothing points to are let alone for a while.
    last = time.time()
    while time.time() < last + UNCLAIMED_RESULT_AGE + 2.0 and await _unclaimed(here):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    await here.sweep()
    await here.sweep()


async def _unclaimed(here: World) -> list[str]:
    pointed = set(await here.db["scans"].distinct("result.version"))
    return sorted(set(await here.db["results"].distinct("version")) - pointed)


async def _evidence(here: World, users: "Users", watch: Watch, disasters: "Disasters") -> Evidence:
    scans = {scan["_id"]: scan async for scan in here.db["scans"].find({})}
    limits = await here.db[rate_limit.NAME].find_one({"_id": "launches"}) or {"running": []}
    served = {}
    for scan_id, scan in scans.items():
        if scan["outcome"] == "finished":
            answer = await here.client.get(f"/scan/{scan_id}/result", params={"include_deleted": True})
            served[scan_id] = answer.json()
    now = time.time()
    until = now + 20.0
    last = {scan_id: scan["phase_since"] for scan_id, scan in scans.items()}
    while time.time() < until:
        # The watch follows the database; wait until it has seen the end of each scan.
        seen = {change.scan_id: change.after for change in watch.seen}
        if all((seen.get(scan_id) or {}).get("phase_since") == at for scan_id, at in last.items()):
            break
        await asyncio.sleep(0.2)
    return Evidence(
        scans=scans,
        seen=list(watch.seen),
        lives=here.play.lives,
        reports=here.play.reports,
        wanted=users.wanted,
        marks={
            scan_id: scan["classifiers"]["mark"]
            for scan_id, scan in scans.items()
            if "rescan" not in scan["classifiers"]
        },
        served=served,
        left={
            "job": here.play.jobs,
            "startup file": list(here.objects.held),
            "result without a scan": await _unclaimed(here),
            "permit": limits["running"],
            "fact that subscribers have not heard": [
                scan_id for scan_id, scan in scans.items() if scan.get("unnotified")
            ],
            "delivery that is due, or given up": [
                row["_id"] async for row in here.db["deliveries"].find({"state": {"$ne": "DELIVERED"}})
            ],
            "suspended subscription": [
                one["_id"] async for one in here.db["subscriptions"].find({"state": {"$ne": "ACTIVE"}})
            ],
            "lease": [
                scan_id
                for scan_id, scan in scans.items()
                if scan["scanner"]["leased_until"] > now
                or any(cluster["leased_until"] > now for cluster in scan["ewms_task"]["clusters"])
            ],
        },
        outages=disasters.outages,
        scans_running=SCANS_RUNNING,
        letters=here.broker.letters,
        lease=STEP_LEASE,
        heard=here.receiver.heard,
        unanswered=here.doors["receiver"].unanswered,
        hit=here.tally.times("deliver-notification"),
    )


class Users:
    """Ask for scans, badly at times, change their minds, and ask again for what was scanned."""

    def __init__(self, here: World, plan: Plan) -> None:
        self._here = here
        self._plan = plan
        self._dice = Dice(plan.seed, "users")
        self._asked = 0
        self._ids: list[str] = []
        self._asides: set[asyncio.Task[None]] = set()
        self.wanted: dict[str, int | None] = {}

    async def run(self) -> None:
        """Ask until the time is over or it was enough."""
        until = time.time() + self._plan.seconds
        while time.time() < until and self._asked < self._plan.most_scans:
            if await self._alive() < MAX_ALIVE:
                await self._ask()
            await asyncio.sleep(self._dice.uniform(0.0, 0.2))
        for aside in self._asides:
            aside.cancel()
        if self._asides:
            await asyncio.wait(self._asides)

    async def _alive(self) -> int:
        try:
            return int(await self._here.db["scans"].count_documents({"phase": {"$ne": Phase.ENDED}}))
        except PyMongoError:
            return MAX_ALIVE

    async def _ask(self) -> None:
        self._asked += 1
        dice, mark = self._dice, f"{self._plan.seed}-{self._asked}"
        body: dict[str, Any] = {
            "docker_tag": "latest",
            "cluster": dice.choice([{"near": 1}, {"far": 2}, {"near": 1, "far": 1}]),
            "reco_algo": "millipede_wilks",
            "event_i3live_json": {"value": {"data": {"run": dice.randint(1, 20)}}},
            "nsides": {"1": 0},
            "real_or_simulated_event": "simulated",
            "max_pixel_reco_time": 60,
            "priority": 100 if dice.happens(0.1) else dice.randint(0, 10),
            "classifiers": {"mark": mark, "even": self._asked % 2 == 0},
        }
        if dice.happens(0.03):
            body |= dice.choice([{"cluster": {"nowhere": 1}}, {"nsides": {}}, {"priority": "high"}])
        self.wanted[mark] = None
        try:
            answer = await self._here.client.post("/scan", json=body)
        except httpx.HTTPError:
            return
        self.wanted[mark] = answer.status_code
        if answer.status_code != 200:
            return
        scan_id = answer.json()["scan_id"]
        self._ids.append(scan_id)
        if dice.happens(0.15):
            self._aside(self._abort(scan_id, dice.uniform(0.0, 8.0)))
        if dice.happens(0.05):
            self._aside(self._rescan(dice.choice(self._ids)))

    def _aside(self, act: Any) -> None:
        task = asyncio.create_task(act)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _abort(self, scan_id: str, after: float) -> None:
        await asyncio.sleep(after)
        with suppress(httpx.HTTPError):
            await self._here.client.delete(f"/scan/{scan_id}")

    async def _rescan(self, scan_id: str) -> None:
        with suppress(httpx.HTTPError):
            await self._here.client.post(f"/scan/{scan_id}/actions/rescan")


class Disasters:
    """Outages of whole parts, one after the other.

    Attributes:
        outages: when the database was away, (from, to).
    """

    def __init__(self, here: World, plan: Plan) -> None:
        self._here = here
        self._plan = plan
        self._dice = Dice(plan.seed, "disasters")
        self._frozen: list[psutil.Process] = []
        self._database_is_down = False
        self.outages: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Break something now and then, until cancelled."""
        if not self._plan.disaster_every:
            return
        kinds = (
            *(self._stop_a_part, self._stop_a_part, self._crash_the_broker, self._kill_the_database),
            *(self._freeze_the_database, self._kill_a_function, self._freeze_a_function, self._sweep_twice),
        )
        while True:
            await asyncio.sleep(self._dice.uniform(0.2, 2.0) * self._plan.disaster_every)
            await self._dice.choice(kinds)()

    async def repair(self) -> None:
        """Have everything run again."""
        for process in self._frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        if self._database_is_down:
            await self._here.database.start()
        else:
            self._here.database.thaw()

    async def _stop_a_part(self) -> None:
        door = self._here.doors[self._dice.choice(sorted(self._here.doors))]
        await door.shut(self._dice.uniform(1.0, 6.0), hangs=self._dice.happens(0.4))

    async def _crash_the_broker(self) -> None:
        self._here.broker.crash()

    async def _kill_the_database(self) -> None:
        self._here.tally.add("killed and restarted", "mongod")
        since = time.time()
        self._database_is_down = True
        await self._here.database.kill()
        await asyncio.sleep(self._dice.uniform(0.0, 4.0))
        await self._here.database.start()
        self._database_is_down = False
        self.outages.append((since, time.time()))

    async def _freeze_the_database(self) -> None:
        self._here.tally.add("frozen", "mongod")
        since = time.time()
        self._here.database.freeze()
        await asyncio.sleep(self._dice.uniform(1.0, 6.0))
        self._here.database.thaw()
        self.outages.append((since, time.time()))

    async def _kill_a_function(self) -> None:
        name = self._dice.choice(self._here.names)
        if process := self._here.process(name):
            self._here.tally.add("killed from outside", "a function", function=name)
            with suppress(psutil.NoSuchProcess):
                process.kill()

    async def _freeze_a_function(self) -> None:
        """Freeze its process, for longer than a lease at times."""
        name = self._dice.choice(self._here.names)
        if process := self._here.process(name):
            self._here.tally.add("frozen", "a function", function=name)
            self._frozen.append(process)
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)
                await asyncio.sleep(self._dice.uniform(1.0, 12.0))
                os.kill(process.pid, signal.SIGCONT)
            self._frozen.remove(process)

    async def _sweep_twice(self) -> None:
        self._here.tally.add("swept twice at once", "sweep")
        await asyncio.gather(self._here.sweep(), self._here.sweep())


def table(outcome: Outcome) -> str:
    """Show how a run went."""
    lines = [f"seed {outcome.plan.seed}, {outcome.plan.seconds:g} s", "", "faults injected"]
    by_kind: Counter[str] = Counter()
    for (kind, where), count in outcome.faults.items():
        by_kind[f"{kind}" if kind in ("process killed", "process stalled") else f"{kind}: {where}"] += count
    lines += [f"  {count:7}  {kind}" for kind, count in sorted(by_kind.items())]
    lines += [f"  {sum(by_kind.values()):7}  in all", ""]
    lines += [f"  {len(outcome.points):7}  named points of functions, each killed at least once", ""]
    lines += ["scans"]
    lines += [f"  {count:7}  {end}" for end, count in sorted(outcome.ends.items())]
    lines += [
        f"  {outcome.scans:7}  in all, with {outcome.attempts} scanner launches",
        "",
        "invariants checked",
    ]
    lines += [f"  {count:7}  {what}" for what, count in sorted(outcome.verdict.checked.items())]
    lines += ["", "reasons"]
    lines += [f"  {count:7}  {reason}" for reason, count in outcome.reasons.most_common(12)]
    lines += ["", f"violations: {len(outcome.verdict.violations)}"]
    lines += [f"  {violation}" for violation in outcome.verdict.violations]
    return "\n".join(lines)
