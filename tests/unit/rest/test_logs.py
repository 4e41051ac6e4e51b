"""Links to scanner servers' logs."""

from collections.abc import Callable

from skydriver.rest.logs import server_log_url


def test_a_link_names_the_container_of_the_attempt(configure: Callable[..., None]) -> None:
    configure(GRAFANA_DASHBOARD_BASEURL="https://grafana.example.org/d/x?orgId=1", K8S_NAMESPACE="skydriver")
    link = "https://grafana.example.org/d/x?orgId=1&var-namespace=skydriver&var-container="
    assert server_log_url("5d2e", 1) == f"{link}skyscan-server-5d2e"
    assert server_log_url("5d2e", 2) == f"{link}skyscan-server-5d2e-2"


def test_without_a_dashboard_there_is_no_link(configure: Callable[..., None]) -> None:
    configure(GRAFANA_DASHBOARD_BASEURL="")
    assert server_log_url("5d2e", 1) == ""
