import pytest

from skydriver.standin.settings import Settings, SettingsError


def test_defaults_are_the_real_scanners() -> None:
    settings = Settings.from_environment({"SKYSCAN_PROGRESS_INTERVAL_SEC": ""})
    assert (settings.address, settings.token, settings.scan_id) == ("", "", "")
    assert (settings.progress_interval, settings.result_interval) == (60, 120)
    assert (settings.kill_switch_interval, settings.reco_timeout) == (300, 259200)
    assert settings.lease_seconds > 1800
    assert (settings.log_level, settings.log_level_third_party) == ("INFO", "WARNING")
    assert not settings.mini_test
    assert settings.host == "127.0.0.1"


def test_intervals_may_be_short() -> None:
    assert Settings.from_environment({"SKYSCAN_RESULT_INTERVAL_SEC": "0.1"}).result_interval == 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SKYSCAN_PROGRESS_INTERVAL_SEC", "0"),
        ("SKYSCAN_RESULT_INTERVAL_SEC", "-1"),
        ("SKYSCAN_KILL_SWITCH_CHECK_INTERVAL", "often"),
        ("SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS", "nan"),
        ("EWMS_PILOT_TASK_TIMEOUT", "inf"),
        ("SKYSCAN_LOG", "LOUD"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_an_address_needs_a_scan() -> None:
    with pytest.raises(SettingsError, match="SKYSCAN_SKYDRIVER_SCAN_ID"):
        Settings.from_environment({"SKYSCAN_SKYDRIVER_ADDRESS": "http://127.0.0.1:1"})
