import pytest

from skydriver.standin.client import Limits, main
from skydriver.standin.settings import SettingsError


def test_defaults_are_the_real_workers() -> None:
    assert Limits.from_environment({}) == Limits(
        pixel_seconds=0,
        first_wait=3600,
        later_wait=1800,
        task_timeout=1800,
        quarantine=0,
        crash_probability=0.5,
        dump=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SKYSCAN_STANDIN_PIXEL_SECONDS", "-1"),
        ("SKYSCAN_STANDIN_PIXEL_SECONDS", "long"),
        ("SKYSCAN_CRASH_DUMMY_PROBABILITY", "1.1"),
        ("SKYSCAN_MQ_TIMEOUT_TO_CLIENTS", "0"),
        ("EWMS_PILOT_TASK_TIMEOUT", "never"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Limits.from_environment({name: value})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file"), ("{", "JSON"), ("{}", "standin_server"), ("[]", "client-startup-json")],
)
def test_a_startup_file_that_is_none(
    content: str | None,
    complaint: str,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path_factory.mktemp("pod") / "startup.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as caught:
        main(["--client-startup-json", str(path)])
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_help_says_that_it_is_a_stand_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "stand-in" in capsys.readouterr().out
