"""docs/settings.md tells every setting, and is what the settings say."""

from skydriver.settings import Settings
from tests.support.settings_page import GROUPS, PAGE, page, secret_users


def test_every_setting_is_in_one_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "write it anew: make docs"


def test_secrets_are_found_with_their_functions() -> None:
    assert "`skydriver-scanner-tokens`" in secret_users()["scanner_token_key"]
