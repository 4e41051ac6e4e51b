"""`skydriver demo`, as a newcomer runs it."""

import json
import signal
from typing import Any

import pytest

from tests.components import need

from .conftest import wait_until


def test_from_nothing_to_a_skymap(skydriver: Any) -> None:
    with need("skyreader"):
        from skyreader import SkyScanResult
    code, stdout, stderr = skydriver.run("demo")
    assert code == 0, stderr
    demo = skydriver.work / "demo"
    stem = "run00130033.evt000050579430.EHE_8_64"
    assert sorted(path.name for path in demo.iterdir()) == [
        f"{stem}.full-sky.png",
        f"{stem}.json",
        f"{stem}.skymap_nside_64_probability.multiorder.fits.gz",
        f"{stem}.zoomed.png",
    ]
    result = SkyScanResult.deserialize(json.loads((demo / f"{stem}.json").read_text()))
    assert result.nsides == [8, 64]
    # Where IC170922A was seen, to about a pixel of nside 64.
    assert result.best_dir == pytest.approx((1.351, 0.0998), abs=0.02)
    assert stdout.startswith("best fit: RA 7")
    assert "probability" in stdout
    assert "\t90%\t" in stdout
    assert "SCAN_FINISHED_SUCCESSFULLY" in stderr
    assert "nside 8: 768/768" in stderr
    assert skydriver.leftovers() == []
    assert not skydriver.data.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(skydriver: Any, number: signal.Signals) -> None:
    process = skydriver.start("demo", "--nsides", "8:0 64:12 512:24 1024:100")
    try:
        wait_until(lambda: "IN_PROGRESS" in skydriver.stderr, "the scan's first progress")
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert skydriver.leftovers() == []
    assert not (skydriver.work / "demo").exists()
