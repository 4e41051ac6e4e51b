"""Where `open` leads a browser, which here only notes it."""

import json
from typing import Any

import pytest

ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []

    def open_(address: str) -> bool:
        addresses.append(address)
        return len(addresses) == 1

    monkeypatch.setattr("webbrowser.open", open_)
    return addresses


def test_the_dashboard_is_opened_and_its_address_told(run: Any, service: Any, opened: list[str]) -> None:
    answer = run("open")
    assert (answer.exit_code, answer.stdout) == (0, f"{service.url}/ui\n")
    assert opened == [f"{service.url}/ui"]
    assert "There is no browser here" in run("open").stderr


def test_a_scan_is_named_by_the_beginning_of_its_id(run: Any, service: Any, opened: list[str]) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": ID}]})
    answer = run("open", ID[:8])
    assert answer.exit_code == 0, answer.output
    assert opened == [f"{service.url}/ui/scan/{ID}"]


def test_programs_are_only_told(run: Any, service: Any, opened: list[str]) -> None:
    assert json.loads(run("open", "--json").stdout) == {"url": f"{service.url}/ui"}
    assert opened == []
