"""A user subscribes and is notified of a scan: from its submission to a signed delivery, with real parts."""

from pathlib import Path

from skydriver.local.http_server import listen, serve, url
from skydriver.model.transitions import Fact
from tests.conftest import eventually
from tests.support.subscribers import Receiver, rows, subscribed
from tests.system.conftest import running


async def test_a_subscriber_is_notified_of_the_first_map_and_the_end(tmp_path: Path) -> None:
    receiver = Receiver()
    with listen(None) as listener:
        async with (
            serve(receiver.app, listener),
            running(tmp_path / "data", SUBSCRIPTION_INSECURE_SINKS="true") as skydriver,
        ):
            sink = f"{url(listener)}/hook"
            one = await subscribed(sink, types=[Fact.FIRST_RESULT, Fact.FINISHED])
            other = await subscribed(sink, types=[Fact.FINISHED], filters={"run_id": 1})
            scan_id = await skydriver.submit()
            await skydriver.ended(scan_id)
            await eventually(lambda: len(receiver.heard) == 2)
            first, last = sorted(receiver.heard, key=lambda heard: heard.data["fact"], reverse=True)
            assert (first.data["fact"], last.data["fact"]) == (Fact.FIRST_RESULT, Fact.FINISHED)
            assert {heard.data["scan_id"] for heard in receiver.heard} == {scan_id}
            assert (last.data["outcome"], last.data["is_final"]) == ("finished", True)
            # The numbers are those of the summary.
            summary = await skydriver.call("GET", f"/scan/{scan_id}/skymap")
            (area,) = [
                region["area_deg2"]
                for region in summary["definitions"]["probability"]["regions"]
                if region["level"] == "90"
            ]
            assert last.data["best_fit"]["ra_deg"] == summary["best_fit"]["ra"]
            assert last.data["area"] == {"level": 0.9, "definition": "probability", "area_deg2": area}
            page = await skydriver.http.get(last.data["links"]["page"])
            assert page.status_code == 200
            await eventually(lambda: _all_delivered(one))
            assert await rows(other) == []


async def _all_delivered(subscription_id: str) -> bool:
    return [row["state"] for row in await rows(subscription_id)] == ["DELIVERED"] * 2
