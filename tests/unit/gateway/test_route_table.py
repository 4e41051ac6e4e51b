from pathlib import Path

import pytest
from pydantic import ValidationError

from skydriver.gateway.route_table import MethodNotAllowed, NotFound, Route, RouteTable


def table(*lines: str) -> RouteTable:
    entries = (line.split() for line in lines)
    return RouteTable.of([Route(method=m, path=p, service=s) for m, p, s in entries])


TABLE = table(
    "GET / root",
    "POST /scan create",
    "GET /scan/{scan_id} read",
    "DELETE /scan/{scan_id} delete",
    "GET /scan/{scan_id}/manifest manifest",
    "GET /scan/latest/manifest latest",
    "GET /scans/backlog backlog",
)


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("GET", "/", "root"),
        ("POST", "/scan", "create"),
        ("GET", "/scan/4e9f", "read"),
        ("DELETE", "/scan/4e9f", "delete"),
        ("GET", "/scan/4e9f/manifest", "manifest"),
        ("GET", "/scan/{scan_id}", "read"),
        ("GET", "/scans/backlog", "backlog"),
    ],
)
def test_a_request_reaches_the_service_of_its_route(method: str, path: str, service: str) -> None:
    assert TABLE.match(method, path) == service


def test_a_literal_segment_wins_over_a_parameter_but_only_where_it_leads_somewhere() -> None:
    assert TABLE.match("GET", "/scan/latest/manifest") == "latest"
    assert TABLE.match("GET", "/scan/latest") == "read"


@pytest.mark.parametrize(
    "path", ["/nope", "/scan/", "//", "/scan//manifest", "/scan/4e9f/", "/scan/4e9f/manifest/x", "scan", ""]
)
def test_other_paths_are_not_found(path: str) -> None:
    assert TABLE.match("GET", path) == NotFound()


def test_another_method_is_told_which_ones_are_served() -> None:
    assert TABLE.match("PATCH", "/scan/4e9f") == MethodNotAllowed(("DELETE", "GET"))
    assert TABLE.match("HEAD", "/scan") == MethodNotAllowed(("POST",))


def test_a_path_with_get_also_answers_head() -> None:
    assert TABLE.match("HEAD", "/scan/4e9f") == TABLE.match("GET", "/scan/4e9f")
    assert TABLE.match("HEAD", "/") == TABLE.match("GET", "/")


def test_two_routes_for_the_same_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="two routes for GET /scan/"):
        table("GET /scan/{scan_id} one", "GET /scan/{name} two")


def test_a_table_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("routes: [{method: GET, path: '/scan/{scan_id}', service: read}]")
    read = RouteTable.load(path)
    assert read.match("GET", "/scan/1") == "read"
    assert read.services == {"read"}


@pytest.mark.parametrize(
    "entry",
    [
        "{method: FETCH, path: /, service: root}",
        "{method: GET, path: scan, service: root}",
        "{method: GET, path: /scan/, service: root}",
        "{method: GET, path: '/scan/{id', service: root}",
        "{method: GET, path: /, service: Not A Name}",
        "{method: GET, path: /, service: root, extra: 1}",
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(f"routes: [{entry}]")
    with pytest.raises(ValidationError):
        RouteTable.load(path)
