from pathlib import Path

import pytest

from skydriver.standin.arguments import Arguments, parse


@pytest.fixture
def line(tmp_path: Path) -> list[str]:
    """A command line as SkyDriver writes it."""
    return (
        f"--reco-algo millipede_wilks --cache-dir {tmp_path} --client-startup-json {tmp_path}/startup.json"
        " --nsides 8:0 64:12 --real-event --predictive-scanning-threshold 0.65"
    ).split()


def changed(line: list[str], option: str, *values: str) -> list[str]:
    """The line with other values of an option, or without it."""
    start = line.index(option)
    stop = next((n for n in range(start + 1, len(line)) if line[n].startswith("--")), len(line))
    return [*line[:start], *([option, *values] if values else []), *line[stop:]]


def test_skydrivers_line(line: list[str], tmp_path: Path) -> None:
    arguments = parse(line, reports_to_skydriver=True)
    assert arguments == Arguments(
        client_startup_json=tmp_path / "startup.json",
        cache_dir=tmp_path,
        output_dir=None,
        reco_algo="millipede_wilks",
        event_file=None,
        progression=arguments.progression,
        is_real_event=True,
        threshold=0.65,
    )
    assert arguments.progression.nsides == [8, 64]


def test_defaults(line: list[str]) -> None:
    arguments = parse(changed(changed(line, "--nsides"), "--predictive-scanning-threshold"), True)
    assert [tuple(step) for step in arguments.progression] == [(8, 0), (64, 12), (512, 24)]
    assert arguments.threshold == 1.0


@pytest.mark.parametrize(
    ("option", "values", "complaint"),
    [
        ("--client-startup-json", (), "required"),
        ("--client-startup-json", ("/no/such/folder/startup.json",), "does not exist"),
        ("--cache-dir", (), "required"),
        ("--cache-dir", ("/no/such/folder",), "no existing folder"),
        ("--reco-algo", (), "required"),
        ("--reco-algo", ("crude",), "invalid choice"),
        ("--nsides", ("64:0", "8:12"), "ascending"),
        ("--nsides", ("12:0",), "power of two"),
        ("--nsides", ("8:3",), "extension 0"),
        ("--real-event", (), "required"),
        ("--real-event", ("--simulated-event",), "not allowed with"),
        ("--predictive-scanning-threshold", ("0.05",), "not in"),
        ("--predictive-scanning-threshold", ("1.5",), "not in"),
        ("--predictive-scanning-threshold", ("much",), "no number"),
        ("--predictive-scanning-threshold", ("1", "--surprise"), "unrecognized"),
        ("--predictive-scanning-threshold", ("1", "--gcd-dir", "/no/such"), "no existing folder"),
    ],
)
def test_wrong_lines(
    line: list[str],
    option: str,
    values: tuple[str, ...],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(changed(line, option, *values), reports_to_skydriver=True)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_threshold_of_exactly_a_tenth_is_taken(line: list[str]) -> None:
    assert parse(changed(line, "--predictive-scanning-threshold", "0.1"), True).threshold == 0.1


def test_without_skydriver_files_are_needed(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    for more, complaint in [([], "--output-dir"), (["-o", str(tmp_path)], "--event-file")]:
        with pytest.raises(SystemExit):
            parse([*line, *more], reports_to_skydriver=False)
        assert complaint in capsys.readouterr().err
    arguments = parse([*line, "-o", str(tmp_path), "-e", str(event)], reports_to_skydriver=False)
    assert (arguments.output_dir, arguments.event_file) == (tmp_path, event)


def test_an_event_file_is_not_looked_at_when_skydriver_has_the_event(line: list[str], tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    assert parse([*line, "-e", str(event)], reports_to_skydriver=True).event_file is None


def test_pickles_are_refused(line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*line, "-o", str(tmp_path), "-e", "event.pkl"], reports_to_skydriver=False)
    assert "loads no pickles" in capsys.readouterr().err


def test_help_says_that_it_is_a_stand_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help"], reports_to_skydriver=True)
    assert caught.value.code == 0
    assert capsys.readouterr().out.count("stand-in") >= 2
