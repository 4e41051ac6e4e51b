"""What is submitted to HTCondor, whole; and that no value can say more than itself."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import PermanentError
from skydriver.model.worker_pools import CondorCluster, CondorLocation
from skydriver.scanner.era import Era, worker_command
from skydriver.settings import settings
from skydriver.workers.htcondor.submit import (
    quoted_arguments,
    quoted_environment,
    starter_info,
    submit_description,
    transferred_file,
)
from skydriver.workers.protocol import WorkersSpec

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _configured(configure: Callable[..., None]) -> None:
    configure()


def known(**changes: Any) -> CondorCluster:
    return CondorCluster(
        orchestrator="condor",
        location=CondorLocation(collector="cm.example.org", schedd="sub.example.org"),
        secret="condor-token",
        **changes,
    )


SPEC = WorkersSpec(
    uuid="fedcba9876543210fedcba9876543210",
    scan_id="0123456789abcdef0123456789abcdef",
    known=known(),
    n_workers=500,
    docker_tag="3.22.1",
    memory_bytes=8_000_000_000,
    disk_bytes=1_000_000_000,
    priority=7,
    max_worker_runtime=14400,
    startup_url="https://s3.example.org/skydriver/0123-s3-startup?X-Amz-Credential=a%2Fb&X-Amz-Signature=c0ffee",
    command=partial(worker_command, Era.V3),
    has_pilot=False,
    environment={"SKYSCAN_BROKER_ADDRESS": "rabbitmq.example.org", "SKYSCAN_BROKER_AUTH": "broker-token"},
    collect_logs=False,
)

CASES = {
    "condor_cvmfs.sub": SPEC,
    "condor_container.sub": replace(SPEC, known=known(image="container", requirements="has_avx2")),
    "condor_none.sub": replace(
        SPEC,
        known=known(image="none", requirements="", command=("/opt/worker", "--fast", "a b")),
        environment={"PATTERN": 'it\'s "$(HOME)"'},
    ),
    "condor_logs.sub": replace(SPEC, collect_logs=True),
}


PILOT_URL = "https://s3.example.org/skydriver/pilots/pilot-abc123.py?X-Amz-Signature=facade"
SINCE_V4 = replace(SPEC, docker_tag="4.2.1", command=partial(worker_command, Era.V4), has_pilot=True)
CASES |= {
    "condor_cvmfs_v4.sub": SINCE_V4,
    "condor_container_v4.sub": replace(SINCE_V4, known=known(image="container")),
    "condor_none_v4.sub": replace(
        SINCE_V4, known=known(image="none", python="/opt/bin/python3", command=("/opt/worker", "--fast"))
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_submit_description(name: str) -> None:
    pilot_url = PILOT_URL if CASES[name].has_pilot else ""
    described = submit_description(CASES[name], settings(), pilot_url=pilot_url)
    text = "".join(f"{key} = {value}\n" for key, value in described.items())
    assert text == (GOLDEN / name).read_text()


def test_resources_are_never_less_than_asked_for() -> None:
    described = submit_description(replace(SPEC, memory_bytes=2**20 + 1, disk_bytes=1), settings())
    assert (described["request_memory"], described["request_disk"]) == ("2", "1")


def test_the_quarantine_is_the_installations_or_else_the_workers_own(configure: Callable[..., None]) -> None:
    configure(EWMS_PILOT_QUARANTINE_TIME="5")
    assert "EWMS_PILOT_QUARANTINE_TIME='5'" in submit_description(SPEC, settings())["environment"]
    own = replace(SPEC, environment={"EWMS_PILOT_QUARANTINE_TIME": "7"})
    assert "EWMS_PILOT_QUARANTINE_TIME='7'" in submit_description(own, settings())["environment"]


def test_users_are_told_what_was_submitted_without_secrets() -> None:
    told = starter_info(SPEC, settings())
    assert told["count"] == 500
    assert told["executable"] == "/bin/bash"
    assert "SKYSCAN_BROKER_AUTH='***'" in told["environment"]
    assert "SKYSCAN_BROKER_ADDRESS='rabbitmq.example.org'" in told["environment"]
    assert told["transfer_input_files"] == "https://s3.example.org/skydriver/0123-s3-startup?***"
    assert "broker-token" not in str(told)
    assert "c0ffee" not in str(told)


def test_users_are_not_told_where_the_pilot_can_be_fetched() -> None:
    told = starter_info(SINCE_V4, settings(), pilot_url=PILOT_URL)
    assert "pilot-abc123.py?***" in told["transfer_input_files"]
    assert "facade" not in str(told)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"environment": {"A": "x\ny"}}, "A holds"),
        ({"environment": {"A": "$$(Cpus)"}}, "A holds"),
        ({"environment": {"A\nqueue 1000": "x"}}, "no name of an environment variable"),
        ({"environment": {"": "x"}}, "no name of an environment variable"),
        ({"docker_tag": 'x"\nqueue'}, "an attribute holds"),
        ({"scan_id": "a\nb"}, "scan id holds"),
        ({"startup_url": "https://s3.example.org/a,b"}, "comma or a blank"),
        ({"startup_url": "https://s3.example.org/a b"}, "comma or a blank"),
        ({"known": known(requirements="true\nqueue 1000")}, "requirements holds"),
        ({"known": known(image="none", command=("/bin/x", "a\0b"))}, "an argument holds"),
    ],
)
def test_what_cannot_be_written_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PermanentError, match=complaint):
        submit_description(replace(SPEC, **changes), settings())


def test_a_tag_is_only_a_tag() -> None:
    described = submit_description(replace(SPEC, docker_tag='x" || true || "\\'), settings())
    assert described["+SingularityImage"].endswith(':x\\" || true || \\"\\\\"')


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://s3.example.org/bucket/id-s3-startup?X-Amz-Signature=a%2Fb", "id-s3-startup"),
        ("http://127.0.0.1:9000/bucket/folder/a%20b", "a b"),
    ],
)
def test_the_startup_file_is_named_by_its_url(url: str, name: str) -> None:
    assert transferred_file(url) == name


# --- quoting -------------------------------------------------------------------------------------------


def _expand(text: str) -> str:
    """Expand macros as the submit language does, where only `$(DOLLAR)` stands for anything."""
    parts = text.split("$(DOLLAR)")
    assert all("$" not in part for part in parts), "a macro that is not ours"
    return "$".join(parts)


def _parse(text: str) -> list[str]:
    """Read HTCondor's "new syntax": words in double quotes, separated by blanks, `'` quotes, `''` is one."""
    assert text.startswith('"')
    assert text.endswith('"')
    body = text[1:-1]
    assert '"' not in body.replace('""', "")
    body = body.replace('""', '"')
    words: list[str] = []
    word: str | None = None
    quoted = False
    at = 0
    while at < len(body):
        char = body[at]
        if char == "'":
            word = word or ""
            if quoted and body[at + 1 : at + 2] == "'":
                word += "'"
                at += 1
            else:
                quoted = not quoted
        elif char == " " and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
        at += 1
    assert not quoted
    return words if word is None else [*words, word]


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
nasty = st.text(st.sampled_from("'\"$()\\ {}`;=#%&|<>\t\n\0aÜ"), max_size=40)
values = anything | nasty
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)


def _is_writable(value: str) -> bool:
    return "$$" not in value and not any(ord(char) < 32 or ord(char) == 127 for char in value)


@given(st.lists(values, max_size=5))
def test_arguments_are_read_as_they_were_or_refused(arguments: list[str]) -> None:
    if not all(map(_is_writable, arguments)):
        with pytest.raises(PermanentError):
            quoted_arguments(arguments)
        return
    written = quoted_arguments(arguments)
    assert "\n" not in written
    assert _parse(_expand(written)) == arguments


@given(st.dictionaries(names, values, max_size=5))
def test_an_environment_is_read_as_it_was_or_refused(environment: dict[str, str]) -> None:
    if not all(map(_is_writable, environment.values())):
        with pytest.raises(PermanentError):
            quoted_environment(environment)
        return
    written = quoted_environment(environment)
    assert "\n" not in written
    assert dict(word.split("=", 1) for word in _parse(_expand(written))) == environment
