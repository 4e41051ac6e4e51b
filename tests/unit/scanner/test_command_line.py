"""The whole command line and environment of a scanner server, for given requests."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.submission import ScanArguments, stored_request
from skydriver.scanner.command_line import (
    secret_files,
    server_arguments,
    server_environment,
    worker_environment,
)
from skydriver.scanner.ewms_json import Broker
from skydriver.settings import settings

PROGRAM = ("python", "-m", "skymap_scanner.server")
FOLDER = "/common-space"
ARGUMENTS: dict[str, Any] = {
    "docker_tag": "latest",
    "cluster": {"sub-2": 1234},
    "reco_algo": "millipede_wilks",
    "event_i3live_json": {},
    "nsides": {"8": 0, "64": 12, "512": 24},
    "real_or_simulated_event": "real",
    "max_pixel_reco_time": 600,
}


BROKER = Broker("broker.example.org")
SETTABLE = {
    "SKYSCAN_PROGRESS_INTERVAL_SEC": "60",
    "SKYSCAN_RESULT_INTERVAL_SEC": "0.5",
    "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL": "1234567",
    "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS": "1800",
    "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": "259200",
    "EWMS_PILOT_QUARANTINE_TIME": "1800",
    "SKYSCAN_LOG": "DEBUG",
    "SKYSCAN_LOG_THIRD_PARTY": "INFO",
}
"""Defaults that an installation can set."""
IDENTITY = (
    "SKYSCAN_BROKER_ADDRESS",
    "SKYSCAN_SKYDRIVER_ADDRESS",
    "SKYSCAN_SKYDRIVER_SCAN_ID",
    "SKYSCAN_SKYDRIVER_AUTH",
)


def request(**changed: Any) -> Any:
    return stored_request(
        ScanArguments.model_validate({**ARGUMENTS, **changed}),
        scan_id="5d2e",
        i3_event_id="e7e7",
        docker_tag=changed.get("docker_tag", "3.22.1"),
        max_worker_runtime=86400,
        rest_address="https://skydriver.example.org",
        submitted_by=None,
    )


def command_line(**changed: Any) -> list[str]:
    return server_arguments(request(**changed), program=PROGRAM, folder=FOLDER)


def environment(scanner_id: str = "5d2e", **changed: Any) -> dict[str, str]:
    return server_environment(
        request(**changed),
        settings(),
        scanner_id=scanner_id,
        token="the token",
        broker=BROKER,
        ewms_json="/server-files/ewms.json",
    )


def test_the_command_line_is_v1s() -> None:
    assert command_line() == [
        *("python", "-m", "skymap_scanner.server"),
        *("--reco-algo", "millipede_wilks"),
        *("--cache-dir", "/common-space"),
        *("--client-startup-json", "/common-space/startup.json"),
        *("--nsides", "8:0", "64:12", "512:24"),
        "--real-event",
        *("--predictive-scanning-threshold", "1.0"),
    ]


def test_the_command_line_of_a_simulated_event_with_everything_else() -> None:
    line = command_line(
        reco_algo="dummy",
        nsides={"1": 0},
        real_or_simulated_event="sim",
        predictive_scanning_threshold=0.65,
    )
    assert line == [
        *("python", "-m", "skymap_scanner.server"),
        *("--reco-algo", "dummy"),
        *("--cache-dir", "/common-space"),
        *("--client-startup-json", "/common-space/startup.json"),
        *("--nsides", "1:0"),
        "--simulated-event",
        *("--predictive-scanning-threshold", "0.65"),
    ]


def test_the_program_and_its_folder_are_the_backends() -> None:
    line = server_arguments(request(), program=("python", "-m", "skydriver.standin.server"), folder=".")
    assert line[:3] == ["python", "-m", "skydriver.standin.server"]
    assert line[line.index("--cache-dir") + 1] == "."
    assert line[line.index("--client-startup-json") + 1] == "./startup.json"


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("real", "--real-event"),
        ("real_event", "--real-event"),
        ("sim", "--simulated-event"),
        ("simulated", "--simulated-event"),
        ("simulated_event", "--simulated-event"),
    ],
)
def test_one_flag_says_whether_the_event_is_real(word: str, flag: str) -> None:
    line = command_line(real_or_simulated_event=word)
    assert [one for one in line if one.endswith("-event")] == [flag]


@given(st.floats(0.1, 1.0))
def test_scanners_get_a_threshold_that_does_not_crash_them(threshold: float) -> None:
    given_ = float(command_line(predictive_scanning_threshold=threshold)[-1])
    assert 0.1 < given_ <= 1.0
    assert given_ == threshold or (threshold == 0.1 and given_ < 0.101)


@pytest.fixture
def configured(configure: Callable[..., None]) -> None:
    configure(SKYDRIVER_URL="https://skydriver.example.org", SKYSCAN_BROKER_ADDRESS="broker.example.org")


@pytest.mark.usefixtures("configured")
class TestEnvironment:
    def test_with_nothing_asked_for(self) -> None:
        assert environment() == {
            "SKYSCAN_BROKER_ADDRESS": "broker.example.org",
            "EWMS_PILOT_TASK_TIMEOUT": "600",
            "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
            "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
            "SKYSCAN_SKYDRIVER_ADDRESS": "https://skydriver.example.org",
            "SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e",
            "SKYSCAN_SKYDRIVER_AUTH": "the token",
        }

    def test_with_everything_set(self, configure: Callable[..., None]) -> None:
        configure(**SETTABLE)
        assert environment(
            scanner_id="5d2e_2",
            skyscan_mq_client_timeout_wait_for_first_message=900,
            scanner_server_env={"SKYSCAN_MINI_TEST": True, "NUMBER": 5, "FRACTION": 0.5, "NOTHING": None},
        ) == {
            "SKYSCAN_BROKER_ADDRESS": "broker.example.org",
            "EWMS_PILOT_TASK_TIMEOUT": "600",
            "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
            "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
            "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS": "1800",
            "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": "259200",
            "EWMS_PILOT_QUARANTINE_TIME": "1800",
            "SKYSCAN_LOG": "DEBUG",
            "SKYSCAN_LOG_THIRD_PARTY": "INFO",
            "SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE": "900",
            "SKYSCAN_PROGRESS_INTERVAL_SEC": "60",
            "SKYSCAN_RESULT_INTERVAL_SEC": "0.5",
            "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL": "1234567",
            "SKYSCAN_SKYDRIVER_ADDRESS": "https://skydriver.example.org",
            "SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e_2",
            "SKYSCAN_SKYDRIVER_AUTH": "the token",
            "SKYSCAN_MINI_TEST": "True",
            "NUMBER": "5",
            "FRACTION": "0.5",
            "NOTHING": "",
        }

    @pytest.mark.parametrize(("wait", "passed"), [(-1, None), (0, "0"), (900, "900")])
    def test_the_wait_for_a_first_message(self, wait: int, passed: str | None) -> None:
        variables = environment(skyscan_mq_client_timeout_wait_for_first_message=wait)
        assert variables.get("SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE") == passed

    @pytest.mark.parametrize("name", [*SETTABLE, "EWMS_PILOT_TASK_TIMEOUT", "SKYSCAN_MQ_CLIENT_LOG"])
    def test_users_win_over_every_default(self, configure: Callable[..., None], name: str) -> None:
        configure(**SETTABLE)
        plain = environment(skyscan_mq_client_timeout_wait_for_first_message=900)
        asked = environment(
            skyscan_mq_client_timeout_wait_for_first_message=900, scanner_server_env={name: "7"}
        )
        assert asked == {**plain, name: "7"}
        assert plain[name] != "7"

    def test_users_cannot_override_identity_addresses_and_secrets(self) -> None:
        # Validation refuses these; a request that was stored before it did is held to them, too.
        asked = request()
        asked["scanner_server_env_from_user"] = dict.fromkeys(
            (*IDENTITY, "SKYSCAN_BROKER_CLIENT", "EWMS_TMS_S3_URL", "AWS_PROFILE"), "the user's"
        )
        variables = server_environment(
            asked,
            settings(),
            scanner_id="5d2e",
            token="the token",
            broker=BROKER,
            ewms_json="/server-files/ewms.json",
        )
        assert variables == environment()
        assert set(IDENTITY) < set(variables)

    def test_workers_learn_neither_the_address_nor_the_users_variables(self) -> None:
        asked = request(scanner_server_env={"SKYSCAN_MINI_TEST": "yes"})
        assert worker_environment(asked, settings(), scanner_id="5d2e", broker=BROKER) == {
            "SKYSCAN_BROKER_ADDRESS": "broker.example.org",
            "EWMS_PILOT_TASK_TIMEOUT": "600",
            "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
            "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
        }


@pytest.mark.usefixtures("configured")
class TestEnvironmentSinceV4:
    def test_of_a_server(self, configure: Callable[..., None]) -> None:
        configure(**SETTABLE)
        # It knows neither the broker nor what only workers need; times are whole seconds.
        assert environment(docker_tag="4.2.1", scanner_server_env={"_SKYSCAN_CI_MINI_TEST": "yes"}) == {
            "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
            "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": "259200",
            "SKYSCAN_LOG": "DEBUG",
            "SKYSCAN_LOG_THIRD_PARTY": "INFO",
            "SKYSCAN_PROGRESS_INTERVAL_SEC": "60",
            "SKYSCAN_RESULT_INTERVAL_SEC": "1",
            "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL": "1234567",
            "_SKYSCAN_CI_MINI_TEST": "yes",
            "SKYSCAN_SKYDRIVER_ADDRESS": "https://skydriver.example.org",
            "SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e",
            "SKYSCAN_SKYDRIVER_AUTH": "the token",
            "SKYSCAN_EWMS_JSON": "/server-files/ewms.json",
        }

    def test_of_workers(self) -> None:
        asked, broker = request(docker_tag="4.2.1"), Broker("user@mq.example/skyd", "secret")
        assert worker_environment(asked, settings(), scanner_id="5d2e_2", broker=broker) == {
            "SKYSCAN_BROKER_ADDRESS": "user@mq.example/skyd",
            "SKYSCAN_BROKER_AUTH": "secret",
            "EWMS_PILOT_QUEUE_INCOMING": "to-clients-5d2e_2",
            "EWMS_PILOT_QUEUE_OUTGOING": "from-clients-5d2e_2",
            "EWMS_PILOT_TASK_TIMEOUT": "600",
            "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
            "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
        }

    def test_only_a_server_gets_the_file_of_its_queues(self) -> None:
        broker = Broker("mq.example", "secret")
        before, since = request(), request(docker_tag="4.2.1")
        assert secret_files(before, settings(), scanner_id="5d2e", broker=broker) == {}
        files = secret_files(since, settings(), scanner_id="5d2e_2", broker=broker)
        assert list(files) == ["ewms.json"]
        assert json.loads(files["ewms.json"])["toclient"]["name"] == "to-clients-5d2e_2"
        branch = request(docker_tag="my-branch")
        assert secret_files(branch, settings(), scanner_id="5d2e", broker=broker)

    def test_an_older_branch_is_an_exception_that_a_setting_makes(
        self, configure: Callable[..., None]
    ) -> None:
        configure(V3_IMAGE_TAGS="other, my-branch")
        assert "SKYSCAN_BROKER_ADDRESS" in environment(docker_tag="my-branch")
