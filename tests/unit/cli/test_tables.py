"""Tables at terminals of several widths, and in a pipe: whole outputs, as people and `awk` see them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from skydriver.cli.errors import WrongUsage
from skydriver.cli.tables import Column, choose, moment, scan_id, show

ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"
OTHER = "77aa01c39c4b4f5e8a1b6c3d2e4f7a91"


@pytest.fixture
def manifests() -> list[dict[str, Any]]:
    return [
        {
            "scan_id": ID,
            "timestamp": 1718712000.0,
            "is_deleted": False,
            "priority": 7,
            "classifiers": {"who": "me", "campaign": "july"},
            "phase": "RUNNING",
            "outcome": None,
            "event_metadata": {"run_id": 130033, "event_id": 50579430, "event_type": "EHE"},
        },
        {
            "scan_id": OTHER,
            "timestamp": 1687000000.0,
            "is_deleted": True,
            "priority": 100,
            "classifiers": {},
            "phase": "ENDED",
            "outcome": "failed",
            "event_metadata": {"run_id": 138000, "event_id": 1, "event_type": "gfu-gold"},
            "reason": "all workers are gone",
        },
    ]


GOLDEN_80 = """\
scan      when             run     event     state          outcome  priority
77aa01c3  2023-06-17 369d  138000  1         ENDED,deleted  failed   100
5d2e7f0a  06-18 12:00 2d   130033  50579430  RUNNING        -        7
"""
GOLDEN_60 = """\
scan      when             event     state          outcome
77aa01c3  2023-06-17 369d  1         ENDED,deleted  failed
5d2e7f0a  06-18 12:00 2d   50579430  RUNNING        -
"""
GOLDEN_PIPE = (
    f"{OTHER}\t2023-06-17T11:06:40Z\t138000\t1\tgfu-gold\tENDED,deleted\tfailed\t100\t-\n"
    f"{ID}\t2024-06-18T12:00:00Z\t130033\t50579430\tEHE\tRUNNING\t-\t7\twho=me,campaign=july\n"
)


@pytest.mark.parametrize(("columns", "golden"), [(80, GOLDEN_80), (60, GOLDEN_60)])
def test_find_at_a_terminal(
    run: Any, service: Any, manifests: Any, terminal: Any, columns: int, golden: str
) -> None:
    service.on("POST", "/scans/find", {"manifests": manifests})
    terminal(columns)
    assert run("find").stdout == golden


def test_find_at_a_wide_terminal_shows_all_of_it(
    run: Any, service: Any, manifests: Any, terminal: Any
) -> None:
    service.on("POST", "/scans/find", {"manifests": manifests})
    terminal(200)
    head, _, last = run("find").stdout.splitlines()
    names = "scan when run event type state outcome priority classifiers"
    assert " ".join(head.split()) == names
    assert last.startswith(f"{ID}  2024-06-18 12:00:00 (2 d 3 h)")


@pytest.mark.parametrize("columns", ["80", "200", "0"])
def test_find_in_a_pipe_is_a_line_a_scan_whatever_the_width(
    run: Any, service: Any, manifests: Any, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    service.on("POST", "/scans/find", {"manifests": manifests})
    monkeypatch.setenv("COLUMNS", columns)
    assert run("find").stdout == GOLDEN_PIPE


def test_columns_are_chosen(run: Any, service: Any, manifests: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": manifests})
    assert run("find", "--columns", "scan,reason").stdout == f"{OTHER}\tall workers are gone\n{ID}\t-\n"
    wrong = run("find", "--columns", "scan,colour")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "no column 'colour'" in wrong.stderr


def test_a_width_of_0_is_no_width(run: Any, service: Any, manifests: Any, terminal: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": manifests})
    terminal(0)
    assert run("find").stdout == GOLDEN_80


def test_backlog_at_80_columns(run: Any, service: Any, terminal: Any) -> None:
    entry = {
        "scan_id": ID,
        "timestamp": datetime(2024, 6, 20, 14, 58, 30, tzinfo=UTC).timestamp(),
        "priority": 9,
        "next_attempt": 2,
        "reason": "the cluster has refused the scanner server: there is no room in the namespace",
    }
    service.on("GET", "/scans/backlog", {"entries": [entry]})
    terminal(80)
    assert run("backlog").stdout == (
        "scan      when            priority  refused  reason\n"
        "5d2e7f0a  06-20 14:58 1m  9         2        the cluster has refused the scanne…\n"
    )


def test_history_at_80_columns(run: Any, service: Any, transitions: Any, terminal: Any) -> None:
    tried = {
        "last": 1718712000.0,
        "times": 3,
        "function": "start_workers",
        "name": "sub-2",
        "reason": "no room",
    }
    answer = {"scan_id": "x", "history": transitions, "failed_tries": [tried]}
    service.on("GET", "/scan/x/history", answer)
    terminal(80)
    assert run("history", "x").stdout == (
        "scan x\n"
        "time            phase      cause           function        reason\n"
        "06-18 12:00 2d  QUEUED     scan.requested  create_scan     -\n"
        "06-18 12:00 2d  LAUNCHING  scan.requested  launch_scanner  a permit was free\n"
        "what has failed\n"
        "last                           times  function       cluster  reason\n"
        "2024-06-18 12:00:00 (2 d 3 h)  3      start_workers  sub-2    no room\n"
    )


@pytest.mark.parametrize("width", [1, 10, 33, 80])
def test_no_line_is_wider_than_the_terminal(
    terminal: Any, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    terminal(width)
    columns = [
        Column("scan", scan_id),
        Column("when", lambda _: moment(1.0)),
        Column("why", lambda _: "é" * 99),
    ]
    show(columns, [ID, OTHER])
    assert all(len(line) <= width for line in capsys.readouterr().out.splitlines())


def test_cells_are_no_markup_and_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    show([Column("error", lambda row: row)], ["ValueError: [bold]bad[/bold]\x1b[2J\tpixel", None])
    assert capsys.readouterr().out == "ValueError: [bold]bad[/bold] [2J pixel\n-\n"


def test_no_columns_are_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="at least one"):
        choose([Column("scan", scan_id)], " , ")
