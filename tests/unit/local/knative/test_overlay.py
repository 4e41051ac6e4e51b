import pytest

from skydriver.local.errors import ManifestError
from skydriver.local.knative.overlay import Delivery, read_overlay
from tests.support.toys import Toys

SERVICE_REF = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}


def test_functions_are_read_with_their_settings(toys: Toys) -> None:
    say = read_overlay(toys.overlay).functions["say"]
    assert (say.source, say.target, say.timeout, say.sink) == ("toys/say.py", "say", 30.0, "toys")
    assert say.environment == {
        "COLOUR": "blue",
        "SHAPE": "round",
        "S3_BUCKET": "toys",
        "HEARD": str(toys.root / "heard"),
        "ROUTES_FILE": str(toys.base / "routes.yaml"),
    }


def test_a_services_own_variable_wins_over_the_shared_one(toys: Toys) -> None:
    variable = {"name": "COLOUR", "value": "green"}
    toys.patch("Service", {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": variable})
    assert read_overlay(toys.overlay).settings["COLOUR"] == "green"


def test_one_process_has_one_value_of_a_variable(toys: Toys) -> None:
    variable = {"name": "COLOUR", "value": "green"}
    toys.patch(
        "Service",
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": variable},
        name="say",
    )
    with pytest.raises(ManifestError, match="different values of COLOUR"):
        _ = read_overlay(toys.overlay).settings


def test_a_trigger_delivers_as_its_broker_says(toys: Toys) -> None:
    (trigger,) = read_overlay(toys.overlay).triggers
    assert (trigger.broker, trigger.subscriber) == ("toys", "hear")
    assert trigger.accepts({"type": "said"})
    assert not trigger.accepts({"type": "other"})
    assert trigger.delivery == Delivery(
        retry=3, policy="linear", delay=0.05, timeout=60.0, dead_letter="hear"
    )


def test_a_triggers_own_delivery_inherits_only_the_dead_letter_sink(toys: Toys) -> None:
    toys.patch("Trigger", {"op": "add", "path": "/spec/delivery", "value": {"retry": 1}})
    (trigger,) = read_overlay(toys.overlay).triggers
    assert trigger.delivery == Delivery(retry=1, dead_letter="hear")


@pytest.mark.parametrize(
    ("delivery", "waits"),
    [
        (Delivery(policy="exponential", delay=0.2), [0.2, 0.4, 0.8, 1.6]),
        (Delivery(policy="linear", delay=0.2), [0.0, 0.2, 0.4, 0.6000000000000001]),
    ],
)
def test_waits_grow_by_the_policy(delivery: Delivery, waits: list[float]) -> None:
    assert [delivery.wait(repeat) for repeat in range(4)] == waits


def test_ping_sources_and_routes_are_read(toys: Toys) -> None:
    overlay = read_overlay(toys.overlay)
    (often,) = overlay.ping_sources
    assert (often.schedule, often.sink) == ("* * * * *", "hear")
    assert overlay.routes.match("POST", "/say/hello") == "say"
    assert overlay.namespace == "toys"


@pytest.mark.parametrize(
    ("kind", "operation", "problem"),
    [
        (
            "Trigger",
            {"op": "replace", "path": "/spec/subscriber/ref/name", "value": "nobody"},
            "Trigger said names the Service nobody",
        ),
        (
            "Trigger",
            {"op": "replace", "path": "/spec/broker", "value": "none"},
            "Trigger said: there is no Broker none",
        ),
        (
            "Trigger",
            {"op": "add", "path": "/spec/filter", "value": {"attributes": {"type": "x"}}},
            "Trigger said: spec.filter is not known",
        ),
        (
            "Trigger",
            {"op": "replace", "path": "/spec/filters", "value": [{"cesql": "x"}]},
            "does not know the filter",
        ),
        (
            "Broker",
            {"op": "replace", "path": "/spec/delivery/deadLetterSink/ref/name", "value": "nobody"},
            "dead letter sink of Trigger said names the Service nobody",
        ),
        (
            "Broker",
            {"op": "replace", "path": "/spec/delivery/backoffDelay", "value": "half a second"},
            "Broker toys: spec.delivery.backoffDelay",
        ),
        (
            "PingSource",
            {"op": "replace", "path": "/spec/sink/ref/kind", "value": "Broker"},
            "delivers to Services only",
        ),
        (
            "Service",
            {"op": "add", "path": "/spec/template/spec/initContainers", "value": []},
            "spec.template.spec.initContainers is not known",
        ),
        (
            "Service",
            {"op": "remove", "path": "/spec/template/spec/containers/0/env/0"},
            "FUNCTION_SOURCE is missing",
        ),
        (
            "Service",
            {
                "op": "replace",
                "path": "/spec/template/spec/containers/0/envFrom/0/configMapRef/name",
                "value": "none",
            },
            "there is no ConfigMap none",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    toys: Toys, kind: str, operation: object, problem: str
) -> None:
    toys.patch(kind, operation)
    with pytest.raises(ManifestError, match=problem):
        read_overlay(toys.overlay)


def test_a_route_needs_its_service(toys: Toys) -> None:
    (toys.base / "routes.yaml").write_text("routes: [{method: GET, path: /, service: nobody}]")
    with pytest.raises(ManifestError, match="the route GET / names the Service nobody"):
        read_overlay(toys.overlay)


def test_an_unknown_kind_is_refused(toys: Toys) -> None:
    path = toys.base / "eventing.yaml"
    path.write_text(path.read_text() + "---\n{apiVersion: v1, kind: Pod, metadata: {name: x}}\n")
    with pytest.raises(ManifestError, match="does not know objects of kind Pod"):
        read_overlay(toys.overlay)
