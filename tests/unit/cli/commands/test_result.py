import json
from pathlib import Path
from typing import Any

from tests.support.skymaps import as_result, fisher, scanned

RESULT: dict[str, Any] = {
    "nside-1": {"columns": ["index", "llh", "E_in", "E_tot"], "data": [[0, 7.25, 1.0, 1.0]], "metadata": {}}
}
ANSWER = {"scan_id": "x", "skyscan_result": RESULT, "is_final": True}


def test_result_in_short(run: Any, service: Any) -> None:
    service.on("GET", "/scan/x/result", ANSWER)
    answer = run("result", "x")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[0].split() == ["nside-1", "1", "7.250"]
    assert answer.stderr == ""


GOLDEN_80 = """\
map      pixels  least_-ln_L
nside-1  1       7.250
nside-8  2       -
"""


def test_a_result_at_a_terminal(run: Any, service: Any, terminal: Any) -> None:
    unknown = {**RESULT["nside-1"], "data": [[5, None, 1.0, 1.0], [6, None, 1.0, 1.0]]}
    service.on("GET", "/scan/x/result", ANSWER | {"skyscan_result": {**RESULT, "nside-8": unknown}})
    terminal(80)
    assert run("result", "x").stdout == GOLDEN_80


def test_a_partial_result_says_so(run: Any, service: Any) -> None:
    service.on("GET", "/scan/x/result", ANSWER | {"is_final": False})
    answer = run("result", "x", "--json")
    assert json.loads(answer.stdout)["is_final"] is False
    assert "partial" in answer.stderr


def test_no_result_yet(run: Any, service: Any) -> None:
    service.on("GET", "/scan/x/result", {})
    answer = run("result", "x", "--json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "no result yet" in answer.stderr


def test_result_into_a_file_that_skyreader_reads(run: Any, service: Any, tmp_path: Path) -> None:
    service.on("GET", "/scan/x/result", ANSWER)
    path = tmp_path / "new" / "result.json"
    answer = run("result", "x", "-o", str(path))
    assert answer.exit_code == 0
    assert json.loads(path.read_text()) == RESULT


def test_a_partial_result_in_a_file_is_not_taken_for_a_final_one(
    run: Any, service: Any, tmp_path: Path
) -> None:
    partial = {
        "scan_id": "x",
        "skyscan_result": as_result(scanned(fisher(120.0, 35.0, 3.0), [(8, 0), (64, 24)])),
        "is_final": False,
    }
    service.on("GET", "/scan/x/result", partial)
    path = tmp_path / "result.json"
    answer = run("result", "x", "-o", str(path))
    assert answer.exit_code == 0, answer.output
    assert json.loads(path.read_text()) == partial
    assert f"wrote {path}, as a partial result" in answer.stderr
    found = json.loads(run("summary", str(path), "--json").stdout)
    assert found["final"] is False
    assert "partial" in {note["code"] for note in found["notes"]}
    answer = run("notice", str(path))
    assert (answer.exit_code, answer.stdout) == (1, "")


def test_a_file_that_cannot_be_written(run: Any, service: Any, tmp_path: Path) -> None:
    service.on("GET", "/scan/x/result", ANSWER)
    (tmp_path / "file").touch()
    answer = run("result", "x", "-o", str(tmp_path / "file" / "below.json"))
    assert answer.exit_code == 1
    assert "cannot be written" in answer.stderr


def test_result_of_a_deleted_scan(run: Any, service: Any) -> None:
    service.on("GET", "/scan/x/result", ANSWER)
    run("result", "x", "--include-deleted")
    assert service.requests[0].query == {"no_redirect": "true", "include_deleted": "true"}
