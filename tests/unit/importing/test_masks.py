"""Secrets are found by the names beside them, and masked wherever they stand."""

from typing import Any

import pytest

from skydriver.importing.masks import mask_text, masked, secrets_in

SECRET = "FAKE-SECRET-0123456789"
JWT = "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "value",
    [
        {"env": [{"name": "SKYSCAN_BROKER_AUTH", "value": SECRET}]},
        {"env": [{"value": SECRET, "name": "CONDOR_TOKEN"}], "elsewhere": [f"said {SECRET} aloud"]},
        {"environment": f"A=1;SKYSCAN_SKYDRIVER_AUTH={SECRET};B=2"},
        {"arguments": f"run --token {SECRET} --n 3"},
        {"args": ["--broker-auth", SECRET, "--n", "3"]},
        {"transfer_input_files": f"https://s3.example.org/b/k?X-Amz-Signature={SECRET}"},
        {"address": f"amqp://user:{SECRET}@broker.example.org"},
        {"password": SECRET},
        {"secret_access_key": SECRET, "again": {"deep": [SECRET]}},
        {"kind": "Secret", "data": {"token": SECRET, "other": SECRET}},
        {"header": f"Authorization: Bearer {SECRET}"},
        {"top_task_errors": {f"refused {SECRET}": 3}, "env": [{"name": "MY_PASS", "value": SECRET}]},
        {"text": " ".join(f"x {SECRET} and more".replace(" ", "")), "TOKEN": SECRET},
    ],
)
def test_no_secret_is_left(value: Any) -> None:
    shown = str(masked(value, secrets_in(value)))
    assert SECRET not in shown
    assert SECRET not in shown.replace(" ", "")
    assert "***" in shown


def test_a_token_is_known_by_its_shape() -> None:
    assert JWT not in mask_text(f"got {JWT} back")


@pytest.mark.parametrize(
    "value",
    [
        # What only says where a secret is.
        {"name": "CONDOR_TOKEN", "value": None, "value_from": {"secret_key_ref": {"key": "k", "name": "n"}}},
        {"secretName": "skydriver-secrets"},
        {"serviceAccountName": "author"},
        "python -m skymap_scanner.server --reco-algo millipede_bypass --nsides 1:0",
        "The tokens and passwords of a sentence stay",
        {"statuses": {"Held: (26, 0) memory usage exceeded": {"Tasking": 6}}},
    ],
)
def test_what_holds_no_secret_stays_as_it_is(value: Any) -> None:
    assert masked(value, secrets_in(value)) == value
