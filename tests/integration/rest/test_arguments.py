"""Bad data is refused by its argument, and leaves nothing behind."""

from typing import Any

import pytest

from skydriver.store.mongo import collection
from tests.integration.rest.api import EVENT, Api, scan_arguments

BLANK: list[Any] = ["", "  ", "\t"]
NO_TEXT: list[Any] = [*BLANK, 7, True, [], {}, ["x"], None]
NO_NUMBER: list[Any] = ["", "  ", "x", 1.5, True, [], {}, None, 1e300]
NO_COUNT: list[Any] = [0, -5, 1.5, "7", True, None, [], 10**12]
NO_SIZE: list[Any] = ["", "  ", "x", "8 apples", 0, -1, True, [], {}, None]
NO_OBJECT: list[Any] = ["", "  ", "x", 7, True, [1], None]

WRONG: dict[str, list[Any]] = {
    "docker_tag": [*NO_TEXT, "no such tag", "no-such-tag"],
    "cluster": [
        *(*BLANK, "local", 7, True, {}, [], None, ["local"], [["local"]], [["local", 1, 2]], [[1, "local"]]),
        *({"local": n} for n in NO_COUNT),
        *({"nowhere": 1}, {"local": 1, "nowhere": 1}, [["nowhere", 1]]),
        *({"local": 101}, [["local", 60], ["local", 41]]),
    ],
    "reco_algo": [*NO_TEXT, "millipede wilks", "a --nsides 1:0", "-x"],
    "event_i3live_json": [*BLANK, "x", "[1]", "7", 7, True, [], [EVENT], None],
    "nsides": [*NO_OBJECT, {}, {"3": 0}, {"8": 1}, {"8": 0, "4": 1}, {"8": 0, "64": 0}, {"8": "0"}, {"x": 0}],
    "real_or_simulated_event": [*NO_TEXT, "imaginary"],
    "max_pixel_reco_time": [*NO_NUMBER, 0, -1],
    "max_worker_runtime": [value for value in NO_NUMBER if value is not None],
    "skyscan_mq_client_timeout_wait_for_first_message": [*NO_NUMBER, -2],
    "scanner_server_memory": NO_SIZE,
    "worker_memory": NO_SIZE,
    "worker_disk": NO_SIZE,
    "memory": ["1G", 1],
    "debug_mode": [*BLANK, "logs", 7, True, {}, None, ["client-logs", "x"]],
    "predictive_scanning_threshold": [*BLANK, "x", [], {}, None, True, 0.05, 1.5, -1, 0],
    "priority": NO_NUMBER,
    "classifiers": [*NO_OBJECT, {"x" * 26: 1}, {"a": "x" * 26}, {"a": []}, {"a\0": 1}],
    "scanner_server_env": [
        *NO_OBJECT,
        {"A B": 1},
        {"SKYSCAN_SKYDRIVER_AUTH": "x"},
        {"A": {}},
        {"A": None} | {"B C": 1},
    ],
    "i3_event_id": [*BLANK, "x", 7, True, [], {}, "0" * 64],
    "manifest_projection": [7, True, {}, [7], ["no_such_field"], "no_such_field"],
    "projection": [7, True, {}, [7], ["no_such_field"], "no_such_field"],
    "no_such_argument": [1, None, "x"],
}
WITHOUT_EVENT = {"i3_event_id": {"event_i3live_json": ...}}
REQUIRED = [
    "docker_tag",
    "cluster",
    "reco_algo",
    "event_i3live_json",
    "nsides",
    "real_or_simulated_event",
    "max_pixel_reco_time",
]


async def everything() -> dict[str, int]:
    """Count what the database holds."""
    database = collection("scans").database
    return {name: await database[name].count_documents({}) for name in await database.list_collection_names()}


@pytest.mark.parametrize("name", WRONG)
async def test_each_wrong_value_is_refused_by_name_and_nothing_is_stored(api: Api, name: str) -> None:
    before = await everything()
    for value in WRONG[name]:
        body = scan_arguments(**WITHOUT_EVENT.get(name, {}), **{name: value})
        sentence = await api.refusal("POST", "/scan", body)
        assert f"argument {name}" in sentence, (value, sentence)
        assert "pydantic" not in sentence.lower()
        assert "Value error" not in sentence
    assert await everything() == before


@pytest.mark.parametrize("name", REQUIRED)
async def test_each_required_argument_is_missed(api: Api, name: str) -> None:
    before = await everything()
    sentence = await api.refusal("POST", "/scan", scan_arguments(**{name: ...}))
    assert sentence == f"argument {name}: is required"
    assert await everything() == before


async def test_all_that_is_missing_and_unknown_is_named_at_once_in_order(api: Api) -> None:
    sentence = await api.refusal("POST", "/scan", {"foo": 1, "docker_tag": "latest"})
    named = [part.split(":")[0].removeprefix("argument ") for part in sentence.split("; ")]
    assert named == [*REQUIRED[1:], "foo"]


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"null", b"{", b"NaN", b"{'a': 1}", b'{"a": NaN}'])
async def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    before = await everything()
    for method, path in (("POST", "/scan"), ("POST", "/scans/find"), ("PATCH", "/scan/x/manifest")):
        answer = await api.http.request(method, path, content=body)
        assert answer.status_code == 400, (method, path, answer.text)
        assert ("argument a: " if b'"a"' in body else "argument body: ") in answer.json()["error"]
    assert await everything() == before


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/no/such/path", 404),
        ("POST", "/scan/", 404),
        ("GET", "/scan//manifest", 404),
        ("GET", "/scan/a-b/manifest", 404),
        ("GET", "/scan/nobody/manifest", 404),
        ("GET", "/scan/nobody", 404),
        ("GET", "/scan/nobody/result", 404),
        ("GET", "/scan/nobody/status", 404),
        ("GET", "/scan/nobody/i3-event", 404),
        ("GET", "/scan/nobody/history", 404),
        ("GET", "/scan-request/nobody", 404),
        ("DELETE", "/scan/nobody", 404),
        ("POST", "/scan/nobody/actions/rescan", 404),
        ("GET", "/scan", 405),
        ("PUT", "/scan/nobody/manifest", 405),
        ("DELETE", "/scans/find", 405),
    ],
)
async def test_wrong_paths_and_methods_are_errors_in_json(
    api: Api, method: str, path: str, code: int
) -> None:
    before = await everything()
    answer = await api.http.request(method, path)
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == code
    assert answer.json()["error"]
    if code == 405:
        assert answer.headers["allow"]
    assert await everything() == before


async def test_booleans_are_words_and_a_list_may_be_repeated_or_written_with_commas(
    api: Api, scan_id: str
) -> None:
    await api.call("DELETE", f"/scan/{scan_id}")
    for word in ("true", "True", "1", "yes", "y", "t", "on", "ON"):
        assert (await api.call("GET", f"/scan/{scan_id}?include_deleted={word}"))["result"] == {}
    for word in ("false", "0", "no", "n", "f", "off"):
        await api.refusal("GET", f"/scan/{scan_id}?include_deleted={word}", code=404)
    for word in ("maybe", "2", ""):
        sentence = await api.refusal("GET", f"/scan/{scan_id}?include_deleted={word}")
        assert sentence == "argument include_deleted: must be true or false"
    path = f"/scan/{scan_id}/manifest?include_deleted=1"
    for query in (
        "manifest_projection=scan_id&manifest_projection=priority",
        "manifest_projection=scan_id,priority",
        "projection=scan_id,priority",
    ):
        assert await api.call("GET", f"{path}&{query}") == {"scan_id": scan_id, "priority": 0}
    assert "ewms_task" in await api.call("GET", f"{path}&projection=*")


async def test_bodies_are_bounded(api: Api, scan_id: str, configure: Any) -> None:
    configure(MAX_EVENT_BYTES="20000", MAX_BODY_BYTES="10000", MAX_RESULT_BYTES="50000")
    before = await everything()
    small = {"docker_tag": "3.4.0"}
    for method, path, body in (
        ("POST", "/scan", scan_arguments(event_i3live_json={"a": "x" * 20_000})),
        ("POST", "/scan", scan_arguments(event_i3live_json={"a": "x" * 40_000})),
        ("POST", "/scans/find", {"filter": {"scan_id": "x" * 10_000}}),
        ("PATCH", f"/scan/{scan_id}/manifest", {"scan_metadata": {"a": "x" * 10_000}}),
        ("PUT", f"/scan/{scan_id}/result", {"skyscan_result": {"a": "x" * 50_000}, "is_final": False}),
        ("POST", f"/scan/{scan_id}/actions/rescan", {**small, "classifiers": {"a": "x" * 10_000}}),
        ("POST", f"/scan/{scan_id}/actions/add-workers", {"cluster": {"x" * 10_000: 1}}),
        ("POST", f"/scan/{scan_id}/events", {"skyscan_result": {"a": "x" * 50_000}, "is_final": False}),
        ("DELETE", f"/scan/{scan_id}", {"manifest_projection": ["x" * 10_000]}),
    ):
        sentence = await api.refusal(method, path, body, code=413)
        assert "bytes at most" in sentence
    assert await everything() == before
