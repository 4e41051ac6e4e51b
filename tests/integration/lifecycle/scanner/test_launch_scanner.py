"""A scanner server is launched: once, and only while it is wanted."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from skydriver.errors import Busy, Full, NotTaken, PermanentError
from skydriver.lifecycle.scanner.decide import Decision, Verdict, act
from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.transition import MAX_RETRY_DELAY
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.scanner.local import LocalScanners
from skydriver.scanner.tokens import ScannerToken, read_scanner_token
from skydriver.store import rate_limit
from skydriver.store.scans import document as scan_document
from tests.support.documents import change, cluster, read, result, stored
from tests.support.parts import Broker, Bucket, Jobs, Keycloak
from tests.support.repeats import Repeat

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database", "broker")


async def _launch(scan_id: str) -> None:
    await launch_scanner(scan_id)


async def test_a_queued_scan_is_admitted_and_launched(jobs: Jobs) -> None:
    scan_id = await stored()
    await _launch(scan_id)

    after = await read(scan_id)
    assert (after["phase"], after["attempt"], after["reason"]) == (Phase.STARTING, 1, None)
    assert after["scanner"].items() >= {"leased_until": 0.0, "gone": False}.items()
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "LAUNCHING", "STARTING"]
    assert await rate_limit.holders() == [scan_id]
    assert jobs.names == {f"skyscan-{scan_id}"}
    assert jobs[f"skyscan-{scan_id}"].labels == {
        "skydriver/kind": "scanner",
        "skydriver/scan-id": scan_id,
        "skydriver/attempt": "1",
    }


async def test_a_launch_that_is_repeated_makes_one_server(jobs: Jobs, broker: Broker, repeat: Repeat) -> None:
    scan_id = await stored()
    await repeat(lambda: _launch(scan_id))
    after = await read(scan_id)
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "LAUNCHING", "STARTING"]
    assert jobs.calls == [f"PUT skyscan-{scan_id}"]
    assert await rate_limit.holders() == [scan_id]
    assert broker.events == []


async def test_the_server_gets_a_token_that_is_stored_nowhere(jobs: Jobs, configure: Configure) -> None:
    configure(SCANNER_DEADLINE="7200")
    scan_id = await stored()
    await _launch(scan_id)

    request = jobs.asked(f"skyscan-{scan_id}")
    server, uploader = request.containers
    token = server.env["SKYSCAN_SKYDRIVER_AUTH"]
    assert read_scanner_token(token) == ScannerToken(scan_id, 1)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] == pytest.approx(time.time() + 7200 + 3600, abs=60)
    assert uploader.env["SKYDRIVER_REPORT_TOKEN"] == token
    assert uploader.env["SKYDRIVER_REPORT_URL"] == f"http://skydriver.test/scan/{scan_id}/events"
    assert f"/skydriver/{scan_id}-s3-startup?" in uploader.env["SKYDRIVER_UPLOAD_URL"]
    assert server.env["SKYSCAN_SKYDRIVER_SCAN_ID"] == scan_id
    assert request.deadline_seconds == 7200
    everything = str(await read(scan_id))
    assert token not in everything
    assert "Signature" not in everything


async def test_a_crash_between_the_start_and_its_record_is_made_good(jobs: Jobs) -> None:
    scan_id = await stored()
    await _launch(scan_id)
    name = f"skyscan-{scan_id}"
    before = jobs[name].created_at
    await change(scan_id, phase=Phase.LAUNCHING, scanner__leased_until=time.time() - 1)

    await _launch(scan_id)

    assert (await read(scan_id))["phase"] == Phase.STARTING
    assert jobs[name].created_at == before


async def test_a_lease_keeps_a_second_one_out(jobs: Jobs) -> None:
    scan_id = await stored(Phase.LAUNCHING)
    assert await scan_document.lease_scanner(scan_id, phase=Phase.LAUNCHING, attempt=1, seconds=60)
    before = await read(scan_id)
    with pytest.raises(Busy):
        await _launch(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.ENDED])
async def test_a_scan_in_a_later_phase_is_not_launched(jobs: Jobs, broker: Broker, phase: Phase) -> None:
    left = {"scanner_ready": {"id": "1", "source": "/s", "type": "t", "subject": "x", "data": {}}}
    scan_id = await stored(phase, outbox=left, outbox_since=1.0)
    before = await read(scan_id)
    await _launch(scan_id)
    assert jobs.calls == []
    # A repeat publishes what the first one may have left.
    assert [event.id for event in broker.events] == ["1"]
    after = await read(scan_id)
    assert after.pop("outbox") == {}
    assert {name: before[name] for name in after} == after


async def test_an_unknown_scan_is_refused_for_good(jobs: Jobs) -> None:
    with pytest.raises(PermanentError):
        await _launch("nobody")
    assert await scan_document.get("nobody") is None


async def test_a_scan_waits_where_the_limits_leave_no_room(jobs: Jobs, configure: Configure) -> None:
    configure(SCANS_RUNNING="1")
    first, second = await stored(), await stored()
    await _launch(first)
    await _launch(second)
    assert (await read(second))["phase"] == Phase.QUEUED
    assert jobs.names == {f"skyscan-{first}"}


async def test_an_alert_is_launched_at_once(jobs: Jobs, configure: Configure) -> None:
    configure(SCANS_RUNNING="1", STARTS_PER_MINUTE="1")
    await _launch(await stored())
    alert = await stored(priority=100)
    await _launch(alert)
    assert (await read(alert))["phase"] == Phase.STARTING


async def test_what_stands_before_a_scan_is_admitted_with_it(jobs: Jobs, broker: Broker) -> None:
    before, mine = await stored(priority=3), await stored()
    await _launch(mine)
    assert (await read(before))["phase"] == Phase.LAUNCHING
    assert [event.subject for event in broker.heard(Fact.REQUESTED)] == [before]
    assert jobs.names == {f"skyscan-{mine}"}


async def test_a_refused_start_goes_back_to_the_backlog_each_time_for_longer(configure: Configure) -> None:
    configure(RETRY_DELAY="100", MAX_REFUSALS="9")  # and the job host is down
    scan_id = await stored()
    delays = []
    for n in range(1, 5):
        begun = time.time()
        await change(scan_id, not_before=0.0)
        await _launch(scan_id)

        after = await read(scan_id)
        assert (after["phase"], after["attempt"], after["refusals"]) == (Phase.QUEUED, 1, n)
        assert after["reason_code"] == ReasonCode.SCANNER_START_REFUSED
        assert after["history"][-1].items() >= {"phase": "QUEUED", "reason": after["reason"]}.items()
        assert after["scanner"]["leased_until"] == 0
        assert after["outcome"] is None
        assert await rate_limit.holders() == []
        delays.append(after["not_before"] - begun)
    assert delays == pytest.approx([100, 200, MAX_RETRY_DELAY, MAX_RETRY_DELAY], abs=10)


async def test_a_refused_scan_is_left_alone_until_its_time(jobs: Jobs) -> None:
    jobs.refusal = 503
    scan_id = await stored()
    await _launch(scan_id)
    jobs.refusal = None
    await _launch(scan_id)
    assert (await read(scan_id))["phase"] == Phase.QUEUED
    assert jobs.names == set()
    await change(scan_id, not_before=0.0)
    await _launch(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STARTING
    assert (await read(scan_id))["reason"] is None


async def test_a_start_that_is_refused_for_good_fails_the_scan(
    jobs: Jobs, bucket: Bucket, broker: Broker
) -> None:
    jobs.refusal = 400
    scan_id = await stored()
    await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason_code"] == ReasonCode.SCANNER_START_IMPOSSIBLE
    assert "refused by the test" in after["reason"]
    assert len(broker.heard(Fact.FAILED, scan_id)) == 1
    jobs.refusal = None
    await tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert await rate_limit.holders() == []


async def test_a_start_that_is_refused_too_often_fails_the_scan(broker: Broker, configure: Configure) -> None:
    configure(MAX_REFUSALS="2")
    scan_id = await stored()
    for _ in range(3):
        await change(scan_id, not_before=0.0)
        await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason_code"] == ReasonCode.SCANNER_START_GIVEN_UP
    assert "3 tries" in after["reason"]
    assert len(broker.heard(Fact.FAILED, scan_id)) == 1


async def test_refusals_are_counted_for_each_attempt(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(MAX_REFUSALS="2")
    scan_id = await stored(Phase.RUNNING, refusals=2)
    before = await read(scan_id)
    await act(before, Decision(Verdict.RELAUNCH, Why(ReasonCode.SCANNER_DIED, "it broke")))
    jobs.refusal = 503
    await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["attempt"], after["refusals"]) == (Phase.QUEUED, 2, 1)


async def test_a_scan_that_has_its_final_result_finishes_where_its_launch_is_refused_for_good(
    jobs: Jobs, broker: Broker
) -> None:
    """A launch that made its server was taken for refused; the server gave all but its last progress."""
    jobs.refusal = 400
    scan_id = await stored(Phase.LAUNCHING, result=result(is_final=True))
    await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
    assert after["reason_code"] == ReasonCode.FINAL_RESULT_ONLY
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 1
    assert broker.heard(Fact.FAILED, scan_id) == []


async def test_where_there_is_merely_no_room_a_scan_waits_however_long(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise Full("the quota is used up")

    configure(MAX_REFUSALS="1")
    monkeypatch.setattr(LocalScanners, "start", full)
    scan_id = await stored()
    for _ in range(3):
        await change(scan_id, not_before=0.0)
        await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["refusals"]) == (Phase.QUEUED, 0)
    assert after["reason_code"] == ReasonCode.SCANNER_START_NO_ROOM
    assert "the quota is used up" in after["reason"]
    assert after["not_before"] > time.time() + 30
    assert await rate_limit.holders() == []


async def test_a_server_of_a_start_that_seemed_refused_makes_room_for_another(jobs: Jobs) -> None:
    """What it says while the scan is in the backlog is not heard, so it must not be waited for."""
    scan_id = await stored()
    name = f"skyscan-{scan_id}"
    jobs.lose_answer("PUT")
    await _launch(scan_id)
    assert (await read(scan_id))["phase"] == Phase.QUEUED
    before = jobs[name].created_at
    with pytest.raises(NotTaken):
        await scanner_ready(scan_id, attempt=1)

    await change(scan_id, not_before=0.0)
    await _launch(scan_id)

    assert (await read(scan_id))["phase"] == Phase.STARTING
    assert jobs[name].created_at > before
    assert jobs.names == {name}


async def test_a_scan_that_is_aborted_while_it_is_launched_leaves_nothing(
    jobs: Jobs, bucket: Bucket, broker: Broker
) -> None:
    scan_id = await stored()

    async def abort() -> None:
        assert jobs.names == {f"skyscan-{scan_id}"}
        await bucket.put(scan_id)
        await delete_scan(scan_id, delete_completed=False, by="someone")
        with pytest.raises(Busy):  # the launch holds the lease
            await tear_down(scan_id)
        assert (await read(scan_id))["phase"] == Phase.STOPPING

    jobs.after("PUT", abort)
    await _launch(scan_id)

    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.ENDED, Outcome.ABORTED)
    assert jobs.names == set()
    assert not await bucket.has(scan_id)
    assert await rate_limit.holders() == []
    assert len(broker.heard(Fact.ENDED, scan_id)) == 1


async def test_a_scan_that_is_aborted_before_its_launch_begins_is_not_launched(jobs: Jobs) -> None:
    scan_id = await stored()
    await delete_scan(scan_id, delete_completed=False, by=None)
    await tear_down(scan_id)
    await _launch(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert jobs.calls == []


async def test_a_server_that_is_ready_before_its_launch_is_recorded_runs(jobs: Jobs) -> None:
    scan_id = await stored()
    jobs.after("PUT", lambda: scanner_ready(scan_id, attempt=1))
    await _launch(scan_id)
    after = await read(scan_id)
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "LAUNCHING", "RUNNING"]
    assert after["scanner"].items() >= {"leased_until": 0.0, "gone": False}.items()
    assert jobs.names == {f"skyscan-{scan_id}"}


async def test_a_later_attempt_has_a_name_of_its_own_and_follows_the_former_ones_end(jobs: Jobs) -> None:
    scan_id = await stored()
    await _launch(scan_id)
    jobs.calls.clear()
    await change(scan_id, phase=Phase.LAUNCHING, attempt=2)

    await _launch(scan_id)

    name = f"skyscan-{scan_id}-2"
    assert jobs.calls == [f"DELETE skyscan-{scan_id}", f"PUT {name}"]
    assert jobs.names == {name}
    assert jobs[name].labels["skydriver/attempt"] == "2"
    server, uploader = jobs.asked(name).containers
    assert server.env["SKYSCAN_SKYDRIVER_SCAN_ID"] == f"{scan_id}_2"
    assert read_scanner_token(server.env["SKYSCAN_SKYDRIVER_AUTH"]) == ScannerToken(scan_id, 2)
    assert f"/{scan_id}_2-s3-startup?" in uploader.env["SKYDRIVER_UPLOAD_URL"]
    assert uploader.env["SKYDRIVER_REPORT_URL"].endswith(f"/scan/{scan_id}_2/events")


async def test_a_later_attempt_gets_a_fresh_token_for_the_broker_and_so_do_workers(
    jobs: Jobs, keycloak: Keycloak
) -> None:
    scan_id = await stored()
    await _launch(scan_id)
    await change(scan_id, phase=Phase.LAUNCHING, attempt=2)
    await _launch(scan_id)
    workers = [cluster(uuid, ClusterState.REQUESTED, attempt=2) for uuid in "ab"]
    await change(scan_id, phase=Phase.RUNNING, ewms_task__clusters=workers)
    for uuid in "ab":
        await start_workers(scan_id, uuid)

    started = [f"skyscan-{scan_id}", f"skyscan-{scan_id}-2", "skyscan-workers-a", "skyscan-workers-b"]
    given = [jobs.asked(name).containers[0].env["SKYSCAN_BROKER_AUTH"] for name in started]
    assert given == keycloak.given
    assert len(set(given)) == len(started)
    everything = str(await read(scan_id))
    assert not any(token in everything for token in given)


async def test_a_later_attempt_waits_until_the_formers_workers_are_gone(jobs: Jobs) -> None:
    clusters = [cluster("a", ClusterState.STOPPED), cluster("b", ClusterState.STOPPING)]
    scan_id = await stored(Phase.LAUNCHING, attempt=2, clusters=clusters)
    with pytest.raises(Busy):
        await _launch(scan_id)
    assert jobs.calls == []
    await change(scan_id, ewms_task__clusters__1__state=ClusterState.STOPPED)
    await _launch(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STARTING


async def test_a_later_attempt_waits_until_the_former_server_is_gone(jobs: Jobs) -> None:
    scan_id = await stored()
    await _launch(scan_id)
    await change(scan_id, phase=Phase.LAUNCHING, attempt=2)
    jobs.refusal = 503
    await _launch(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.QUEUED, 2)
    assert jobs.names == {f"skyscan-{scan_id}"}
