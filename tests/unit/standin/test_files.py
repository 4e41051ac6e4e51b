import json
from pathlib import Path

import numpy as np
import pytest

from skydriver.standin import files
from skydriver.standin.event import Event
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit, Pixel, Reco, RecoId
from skydriver.standin.reports import result_body


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "startup.json"
    files.write_json(path, {"a": 1})
    files.write_json(path, {"a": 2})
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["startup.json"]


def test_startup_file_has_what_the_real_one_has(sample: Event) -> None:
    content = files.startup("abc", sample, "http://127.0.0.1:1234", {"SKYSCAN_STANDIN_PIXEL_SECONDS": "2"})
    assert content == {
        "scan_id": "abc",
        "mq_basename": "abc",
        "baseline_GCD_file": None,
        "GCDQp_packet": {"frames": sample.frames},
        "standin_server": "http://127.0.0.1:1234",
        "standin_environment": {"SKYSCAN_STANDIN_PIXEL_SECONDS": "2"},
    }
    assert len(sample.frames) == 5


def test_the_event_gets_a_folder_in_the_cache(tmp_path: Path, sample: Event) -> None:
    for _ in range(2):
        files.note_event(tmp_path, sample)
    note = tmp_path / "run00130033.evt000050579430.EHE" / "event.json"
    assert json.loads(note.read_text()) == sample.metadata()


def test_results_are_written_under_skyreaders_names(tmp_path: Path, sample: Event) -> None:
    ledger = Ledger(1)
    ledger.send([Pixel(8, 3), Pixel(64, 5)], 0.0)
    ledger.receive(Reco(RecoId(8, 3, 0), Fit(4.0, 1.0, 2.0, 5.0, 6.0, 7.0, 8.0), 0.0, 1.0), 1.0)
    ledger.receive(Reco(RecoId(64, 5, 0), Fit(3.0, None, None), 0.0, 1.0), 1.0)
    sink = files.FileSink(tmp_path, sample)
    sink.result(result_body(sample, ledger, False), final=False)
    assert list(tmp_path.iterdir()) == []
    sink.result(result_body(sample, ledger, True), final=True)
    sink.progress({"progress": {}}, final=True)
    stem = "run00130033.evt000050579430.EHE_8_64"
    assert {entry.name for entry in tmp_path.iterdir()} == {
        f"{stem}.json",
        f"{stem}.npz",
        "scan-manifest.json",
    }
    with np.load(tmp_path / f"{stem}.npz") as arrays:
        assert arrays["nside-8"].tolist() == [(3, 4.0, 1.0, 2.0, 5.0, 6.0, 7.0, 8.0)]
        assert np.isnan(arrays["nside-64"]["E_in"]).all()
        assert arrays["header"]["run_id"].tolist() == [130033, 130033]
