import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.redaction import MASK, is_secret, mask_environment, mask_tokens, mask_urls

SIGNED_4 = (
    "https://s3.example.org/skydriver/5d2e-s3-startup?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIA%2F20240618&X-Amz-Date=20240618T120000Z&X-Amz-Expires=86400"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=0123456789abcdef"
)
SIGNED_2 = "http://s3.example.org/b/k?AWSAccessKeyId=AKIA&Signature=abc%3D&Expires=1718712000"


@pytest.mark.parametrize(
    "name", ["SKYSCAN_SKYDRIVER_AUTH", "SKYSCAN_BROKER_AUTH", "CONDOR_TOKEN", "MY_PASSWORD", "a_secret_key"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["SKYSCAN_BROKER_ADDRESS", "SKYSCAN_LOG", "EWMS_PILOT_TASK_TIMEOUT", ""])
def test_names_of_what_is_no_secret(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("url", [SIGNED_4, SIGNED_2])
def test_a_presigned_url_loses_its_whole_query(url: str) -> None:
    place = url.partition("?")[0]
    assert mask_urls(url) == f"{place}?{MASK}"
    assert mask_urls(f'wget "{url}" -O x; curl {url}') == f'wget "{place}?{MASK}" -O x; curl {place}?{MASK}'


def test_a_token_is_known_by_its_shape_or_by_the_word_before_it() -> None:
    text = "sent eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl with Authorization: bearer opaque-1 to x"
    assert mask_tokens(text) == f"sent {MASK} with Authorization: bearer {MASK} to x"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "amqp://scanner:hunter2@broker.example.org:5671/vhost",
            "amqp://scanner:***@broker.example.org:5671/vhost",
        ),
        ("scanner:hunter2@broker.example.org", "scanner:***@broker.example.org"),
        ("scanner@broker.example.org:5671", "scanner@broker.example.org:5671"),
        ("broker.example.org:5671/vhost", "broker.example.org:5671/vhost"),
    ],
)
def test_an_address_loses_its_password(address: str, shown: str) -> None:
    assert mask_urls(address) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing of the kind",
        "https://skydriver.example.org",
        "https://grafana.example.org/d/x?orgId=1&var-namespace=icecube",
        "X-Amz-Signature=abc",
    ],
)
def test_anything_else_is_left_as_it_is(text: str) -> None:
    assert mask_urls(text) == text


@given(st.lists(st.sampled_from([SIGNED_4, SIGNED_2, "--flag", "value", "http://x/y?z=1"])))
def test_no_signature_is_left_in_a_text(words: list[str]) -> None:
    assert "Signature=" not in mask_urls(" ".join(words))


def test_an_environment_as_the_manifest_shows_it() -> None:
    assert mask_environment(
        {
            "SKYSCAN_SKYDRIVER_ADDRESS": "https://skydriver.example.org",
            "SKYSCAN_SKYDRIVER_AUTH": "eyJhbGciOi",
            "STARTUP": SIGNED_4,
            "EMPTY": "",
        }
    ) == [
        {"name": "SKYSCAN_SKYDRIVER_ADDRESS", "value": "https://skydriver.example.org", "value_from": None},
        {"name": "SKYSCAN_SKYDRIVER_AUTH", "value": "***", "value_from": None},
        {
            "name": "STARTUP",
            "value": "https://s3.example.org/skydriver/5d2e-s3-startup?***",
            "value_from": None,
        },
        {"name": "EMPTY", "value": "", "value_from": None},
    ]
