import pytest

from skydriver.cli.request_options import MAX_PIXEL_RECO_TIME_SECONDS
from skydriver.errors import InvalidArguments
from skydriver.scanner import era
from skydriver.scanner.era import Era
from skydriver.scanner.ewms_json import Broker
from skydriver.settings import Settings
from skydriver.ui.scan_form import DEFAULTS

BROKER = Broker("scanner@mq.example:5672/skyd", "a-token")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("3.22.1", Era.V3),
        ("v3.0.59", Era.V3),
        ("v3", Era.V3),
        ("2.9", Era.V3),
        ("4.0.0", Era.V4),
        ("v4.2.1", Era.V4),
        ("4", Era.V4),
        ("10.1", Era.V4),
        ("latest", Era.V4),
        ("my-branch-6207146", Era.V4),
        ("3-seeds-6207146", Era.V4),
        ("eqscan-6207146", Era.V3),
    ],
)
def test_the_tag_tells_the_era(tag: str, expected: Era) -> None:
    assert era.era_of(tag, frozenset({"eqscan-6207146"})) is expected


def test_without_a_broker_only_older_images_can_run() -> None:
    tags = ["3.22.1", "4.2.1", "eqscan-6207146", "some-branch"]
    assert era.usable_tags(tags, has_broker=False, v3_tags=frozenset({"eqscan-6207146"})) == [
        "3.22.1",
        "eqscan-6207146",
    ]
    assert era.usable_tags(tags, has_broker=True) == tags
    era.check_broker("3.22.1", has_broker=False)
    era.check_broker("4.2.1", has_broker=True)
    with pytest.raises(InvalidArguments, match=r"'4\.2\.1' counts as v4 .* message broker") as caught:
        era.check_broker("4.2.1", has_broker=False)
    assert list(caught.value.problems) == ["docker_tag"]


def test_the_broker_bounds_the_time_of_a_pixel_since_v4() -> None:
    era.check_pixel_time(Era.V3, 3600, 1800)
    era.check_pixel_time(Era.V4, 1799, 1800)
    with pytest.raises(InvalidArguments) as caught:
        era.check_pixel_time(Era.V4, 1800, 1800)
    assert list(caught.value.problems) == ["max_pixel_reco_time"]


@pytest.mark.parametrize("default", [MAX_PIXEL_RECO_TIME_SECONDS, int(DEFAULTS["max_pixel_reco_time"])])
def test_what_command_and_form_ask_for_by_default_is_taken_by_default(default: int) -> None:
    era.check_pixel_time(Era.V4, default, Settings.model_fields["broker_acknowledgement_timeout"].default)


def test_variables_of_the_broker_by_era() -> None:
    of_old = {"SKYSCAN_BROKER_ADDRESS": "scanner@mq.example:5672/skyd", "SKYSCAN_BROKER_AUTH": "a-token"}
    assert era.server_variables(Era.V3, BROKER, ewms_json="/x") == of_old
    assert era.worker_variables(Era.V3, BROKER, scanner_id="5d2e_2") == of_old
    assert era.server_variables(Era.V4, BROKER, ewms_json="/x") == {"SKYSCAN_EWMS_JSON": "/x"}
    assert era.worker_variables(Era.V4, BROKER, scanner_id="5d2e_2") == {
        **of_old,
        "EWMS_PILOT_QUEUE_INCOMING": "to-clients-5d2e_2",
        "EWMS_PILOT_QUEUE_OUTGOING": "from-clients-5d2e_2",
    }
    assert "SKYSCAN_BROKER_AUTH" not in era.worker_variables(Era.V4, Broker("mq"), scanner_id="5d2e")


@pytest.mark.parametrize(
    ("value", "before", "since"),
    [(60.0, "60", "60"), (0.25, "0.25", "1"), (1.5, "1.5", "2"), (1e6, "1000000", "1000000")],
)
def test_intervals_are_whole_seconds_since_v4(value: float, before: str, since: str) -> None:
    assert (era.seconds(Era.V3, value), era.seconds(Era.V4, value)) == (before, since)


def test_workers_command_lines() -> None:
    client = ("python", "-m", "skymap_scanner.client")
    lines = {
        each: " ".join(
            era.worker_command(each, python="python3", pilot="pilot.py", client=client, startup_file="s.json")
        )
        for each in Era
    }
    assert lines == {
        Era.V3: "python -m skymap_scanner.client --client-startup-json s.json",
        Era.V4: "python3 pilot.py --client-startup-json s.json -- python -m skymap_scanner.client",
    }
