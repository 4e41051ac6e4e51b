"""The manifests of `knative/`: complete, consistent with the functions, and valid for a real cluster."""

import datetime as dt
import importlib
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes.client import V1ConfigMap, V1NetworkPolicy, V1Role, V1RoleBinding, V1ServiceAccount

from skydriver.gateway.httproutes import http_routes
from skydriver.lifecycle.sweep.renew_consents import ask_timeout
from skydriver.lifecycle.sweep.sweep import DUTY_SHARE, NOTE_SHARE
from skydriver.local.knative import kustomize
from skydriver.local.knative.overlay import Overlay, read_overlay
from skydriver.local.knative.ping_source import next_tick
from skydriver.model.transitions import Fact
from skydriver.settings import Settings
from tests.components import missing
from tests.components.build import folder_of
from tests.support.functions import SOURCES

ROOT = Path(__file__).parents[3]
OVERLAYS = ROOT / "knative" / "overlays"
CRDS = ROOT.parent / "shared" / "data" / "crds"
SECRETS = {
    *("MONGODB_URI", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SCANNER_TOKEN_KEY"),
    *("SESSION_KEYS", "DASHBOARD_CLIENT_SECRET", "SUBSCRIPTION_KEYS", "SMTP_PASSWORD"),
}

SKYMAPS = {
    *("get-contours", "get-gcn-notice", "get-moc"),
    *("get-skymap", "get-skymap-fits", "get-skymap-pdf", "get-skymap-png", "get-skymap-svg"),
}
"""The functions that make products of results, in an image of their own."""
NUMBERS = {"deliver-notification"}
"""Those that tell numbers of results, in the same image."""
WITHOUT_DATABASE = {"get-root", "get-docs", "get-openapi", "login", "static"}
USERS = {
    "skydriver-s3": {
        *("launch-scanner", "start-workers", "stop-workers", "tear-down", "sweep", "get-logs"),
        *SKYMAPS,
    },
    "skydriver-scanner-tokens": {
        *("launch-scanner", "get-manifest", "get-status", "get-workforce"),
        *("patch-manifest", "put-result", "report-scanner-event"),
    },
    "skydriver-message-broker": {"launch-scanner", "start-workers"},
    "skydriver-broker-management": {"tear-down", "stop-workers", "sweep"},
    # Pages, and the routes that only read: their users may have logged in to the dashboard.
    "skydriver-sessions": {
        *("now", "scan", "scan-action", "find", "new", "login", "logout"),
        *("subscriptions", "subscription-action", "find-subscriptions", "get-subscription"),
        *("get-backlog", "get-history", "get-i3-event", "get-logs", "get-manifest", "get-overview"),
        *("get-result", "get-scan", "get-scan-request", "get-status"),
        *("get-taskforces", "get-workflow-id", "get-workforce"),
        *("find-skymap", *SKYMAPS),
    },
    "skydriver-dashboard-client": {"login"},
    # What they encrypt, sign or open: sinks, secrets, and links in e-mail.
    "skydriver-subscriptions": {
        *("create-subscription", "change-subscription", "test-subscription", "rotate-subscription-secret"),
        *("confirm-subscription", "unsubscribe", "subscription-action", "sweep", "deliver-notification"),
    },
    "skydriver-smtp": {
        *("create-subscription", "change-subscription", "test-subscription", "subscription-action"),
        "deliver-notification",
    },
}
"""Which functions mount which Secret beside `skydriver-database`, which all but a few need."""

OPTIONAL = {
    *("skydriver-message-broker", "skydriver-broker-management"),
    *("skydriver-sessions", "skydriver-dashboard-client"),
    *("skydriver-subscriptions", "skydriver-smtp"),
}
"""Secrets of a message broker, of the dashboard and of notifications, which need not be there."""
GATEWAY = "gateway"
"""The function that stands before all others on a cluster, and is not needed on one machine."""

every_overlay = pytest.mark.parametrize("name", ["local", "dev", "prod"])


@cache
def overlay(name: str) -> Overlay:
    return read_overlay(OVERLAYS / name)


@cache
def resources(name: str) -> tuple[dict[str, Any], ...]:
    return kustomize.build(OVERLAYS / name).resources


def of_kind(name: str, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in resources(name) if resource["kind"] == kind]


def services(name: str) -> list[dict[str, Any]]:
    """The Services of the functions themselves."""
    return [service for service in of_kind(name, "Service") if service["metadata"]["name"] != GATEWAY]


def functions() -> dict[str, tuple[str, str]]:
    """Find the functions, by the names that their Services must have: source and target of each."""
    return {path.stem.replace("_", "-"): (str(path.relative_to(ROOT)), path.stem) for path in SOURCES}


@every_overlay
def test_every_function_has_its_service_and_every_service_its_function(name: str) -> None:
    served = {f.name: (f.source, f.target) for f in overlay(name).functions.values()}
    if name != "local":
        assert served.pop(GATEWAY) == ("functions/gateway.py", "gateway")
    assert served == functions()


@every_overlay
def test_every_function_is_reached(name: str) -> None:
    read = overlay(name)
    reached = set(read.routes.services)
    reached |= {trigger.subscriber for trigger in read.triggers}
    reached |= {trigger.delivery.dead_letter for trigger in read.triggers if trigger.delivery.dead_letter}
    reached |= {source.sink for source in read.ping_sources}
    assert reached == set(read.functions) - {GATEWAY}


def test_every_route_function_serves_its_line_of_the_route_table() -> None:
    for route in overlay("local").routes.routes:
        source, target = functions()[route.service]
        module = importlib.import_module(source.removesuffix(".py").replace("/", "."))
        info = getattr(module, target).route
        assert route.method in info.methods
        assert info.path == route.path


def test_every_step_hears_exactly_what_its_triggers_send() -> None:
    heard: dict[str, set[str]] = {}
    for resource in of_kind("local", "Trigger"):
        (condition,) = resource["spec"]["filters"]
        subscriber = resource["spec"]["subscriber"]["ref"]["name"]
        for one in condition.get("any", [condition]):
            heard.setdefault(subscriber, set()).add(one["exact"]["type"])
    for service, types in heard.items():
        source, target = functions()[service]
        step = getattr(importlib.import_module(source.removesuffix(".py").replace("/", ".")), target)
        assert {f"org.icecube.skydriver.{fact}.v1" for fact in step.facts} == types, service


@every_overlay
def test_functions_are_reachable_within_the_cluster_only(name: str) -> None:
    """Users come by way of the gateway, or of an ingress that routes by path."""
    visibility = "networking.knative.dev/visibility"
    public = {
        service["metadata"]["name"]
        for service in of_kind(name, "Service")
        if service["metadata"]["labels"].get(visibility) != "cluster-local"
    }
    assert public == (set() if name == "local" else {GATEWAY})
    steps = {
        service
        for service, (source, _) in functions().items()
        if source.partition("/")[2].startswith(("steps/", "cron/"))
    }
    assert not steps & overlay(name).routes.services


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_public_host_is_the_gateways(name: str) -> None:
    (mapping,) = of_kind(name, "DomainMapping")
    assert overlay(name).settings["SKYDRIVER_URL"] == f"https://{mapping['metadata']['name']}"
    assert mapping["spec"]["ref"]["name"] == GATEWAY


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_image_beside_a_scanner_server_is_the_functions_own(name: str) -> None:
    images: dict[str, set[str]] = {}
    for service in of_kind(name, "Service"):
        image = service["spec"]["template"]["spec"]["containers"][0]["image"]
        images.setdefault(image, set()).add(service["metadata"]["name"])
    own = overlay(name).settings["SERVICE_IMAGE"]
    repository, tag = own.rsplit(":", 1)
    assert images.keys() == {own, f"{repository}-skymap:{tag}"}
    assert images[f"{repository}-skymap:{tag}"] == SKYMAPS | NUMBERS


@every_overlay
def test_a_product_has_an_instance_to_itself_and_few_wait_for_it(name: str) -> None:
    for service in services(name):
        own_name, template = service["metadata"]["name"], service["spec"]["template"]
        if own_name in SKYMAPS:
            assert template["spec"]["containerConcurrency"] == 1
            assert template["metadata"]["annotations"]["autoscaling.knative.dev/max-scale"] == "4"
            (container,) = template["spec"]["containers"]
            assert container["resources"]["limits"]["memory"] == "1Gi"
    assert overlay(name).routes.limits == dict.fromkeys(SKYMAPS, 8)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_secrets_of_known_clusters_reach_the_functions_that_use_them(name: str) -> None:
    known = yaml.load((ROOT / "knative/base/clusters.yaml").read_text(), yaml.CSafeLoader)["clusters"]
    wanted = {cluster["secret"] for cluster in known.values() if cluster.get("secret")}
    folder = Settings.model_fields["cluster_secrets"].default
    for service in services(name):
        spec = service["spec"]["template"]["spec"]
        secrets = {volume["name"] for volume in spec["volumes"] if "secret" in volume}
        is_user = service["metadata"]["name"] in ("start-workers", "observe-workers", "stop-workers")
        assert secrets == (wanted if is_user else set())
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        assert all(mounts[secret] == f"{folder}/{secret}" for secret in secrets)


def test_an_ingress_that_routes_by_path_has_the_same_routes() -> None:
    folder = OVERLAYS / "gateway-api"
    host = overlay("prod").settings["SKYDRIVER_URL"].removeprefix("https://")
    made = http_routes(overlay("prod").routes, host=host, namespace=overlay("prod").namespace)
    assert list(yaml.load_all((folder / "httproutes.yaml").read_text(), yaml.CSafeLoader)) == made


@every_overlay
def test_every_function_publishes_to_the_broker(name: str) -> None:
    assert {overlay(name).functions[function].sink for function in functions()} == {"skydriver"}


@every_overlay
def test_timeouts_are_nested(name: str) -> None:
    """A handler gives up before its Service does, that before the Broker, and that before the lease ends."""
    settings = overlay(name).settings
    deadline = float(settings.get("STEP_DEADLINE", Settings.model_fields["step_deadline"].default))
    lease = float(settings["STEP_LEASE"])
    served = overlay(name).functions
    for function in served.values():
        assert deadline < function.timeout, function.name
    for trigger in overlay(name).triggers:
        assert trigger.delivery.timeout is not None
        assert served[trigger.subscriber].timeout < trigger.delivery.timeout < lease
    if GATEWAY in served:
        behind = {served[service].timeout for service in overlay(name).routes.services}
        assert served[GATEWAY].timeout > max(behind)


@every_overlay
def test_a_webhook_that_never_answers_leaves_its_duty_time_to_note_it(name: str) -> None:
    given = {key.lower(): value for key, value in overlay(name).settings.items()}
    known = Settings.model_validate({"skydriver_url": "", "k_sink": "", "clusters_file": "", **given})
    share = DUTY_SHARE * (1 - NOTE_SHARE) * known.step_deadline
    assert ask_timeout(known) <= share / 2


@every_overlay
def test_events_are_retried_with_growing_waits_and_end_as_recorded_failures(name: str) -> None:
    for trigger in overlay(name).triggers:
        delivery = trigger.delivery
        assert delivery.dead_letter == "record-failure"
        assert delivery.policy == "exponential"
        waits = sum(delivery.wait(repeat) for repeat in range(delivery.retry))
        assert 30 < waits < 300, "long enough for a restart of MongoDB, short enough for an answer"


@every_overlay
def test_the_sweep_runs_at_least_once_a_minute(name: str) -> None:
    (source,) = overlay(name).ping_sources
    assert source.sink == "sweep"
    first = next_tick(source, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    gap = next_tick(source, first) - first
    assert gap.total_seconds() <= 60


@every_overlay
def test_settings_are_known_and_no_secret_is_among_them(name: str) -> None:
    settings = overlay(name).settings
    known = {field.upper() for field in Settings.model_fields}
    # For whatever puts all functions behind one address, for messages, and for libraries.
    others = {"ROUTES_FILE", "FUNCTION_ADDRESS", "OPENBLAS_NUM_THREADS", "MPLCONFIGDIR"}
    assert settings.keys() <= known | others
    assert not settings.keys() & SECRETS
    assert not [key for key in settings if re.search("TOKEN|PASSWORD|SECRET", key)]


@every_overlay
def test_a_function_mounts_the_secrets_that_it_uses_and_no_others(name: str) -> None:
    assert not of_kind(name, "Secret")
    for service in services(name):
        (container,) = service["spec"]["template"]["spec"]["containers"]
        own_name = service["metadata"]["name"]
        expected = {secret for secret, users in USERS.items() if own_name in users}
        if own_name not in WITHOUT_DATABASE:
            expected.add("skydriver-database")
        sources = [source["secretRef"] for source in container["envFrom"] if "secretRef" in source]
        assert {source["name"] for source in sources} == expected, own_name
        assert {source["name"] for source in sources if source.get("optional")} == expected & OPTIONAL
        given = {variable["name"]: variable["value"] for variable in container["env"]}
        assert (given.pop("FUNCTION_SOURCE"), given.pop("FUNCTION_TARGET")) == functions()[own_name]
        libraries = {"OPENBLAS_NUM_THREADS": "1", "MPLCONFIGDIR": "/tmp/matplotlib"}
        assert given == (libraries if own_name in SKYMAPS | NUMBERS else {})


@every_overlay
def test_settings_are_complete(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = {"MONGODB_URI": "mongodb://x", "SCANNER_TOKEN_KEY": "k" * 32, "K_SINK": "http://x"}
    if name == "local":
        run["SKYDRIVER_URL"] = "http://x"
    for key, value in {**overlay(name).settings, **run}.items():
        monkeypatch.setenv(key, value)
    read = Settings.of_environment()
    assert read.skydriver_no_auth is (name == "local")
    assert read.clusters_file.exists()


@every_overlay
def test_every_function_has_an_identity_of_its_own_and_limits(name: str) -> None:
    accounts = {account["metadata"]["name"]: account for account in of_kind(name, "ServiceAccount")}
    bound = {subject["name"] for binding in of_kind(name, "RoleBinding") for subject in binding["subjects"]}
    for service in of_kind(name, "Service"):
        spec, own_name = service["spec"]["template"]["spec"], service["metadata"]["name"]
        assert spec["serviceAccountName"] == own_name
        assert accounts[own_name]["automountServiceAccountToken"] is (own_name in bound)
        assert spec["containers"][0]["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in spec["containers"][0]["resources"]["limits"]
        annotations = service["spec"]["template"]["metadata"]["annotations"]
        assert "autoscaling.knative.dev/max-scale" in annotations
    # A scanner server's has no rights, either.
    assert accounts.keys() - {"scanner"} == overlay(name).functions.keys()


@every_overlay
def test_one_request_starts_one_instance(name: str) -> None:
    """Knative aims at 70 % of `containerConcurrency` by default: at two instances where that is 1."""
    for service in of_kind(name, "Service"):
        template = service["spec"]["template"]
        utilization = template["metadata"]["annotations"].get(
            "autoscaling.knative.dev/target-utilization-percentage", "70"
        )
        assert template["spec"]["containerConcurrency"] * int(utilization) >= 100, service["metadata"]["name"]


def test_examples_are_valid_triggers_with_a_delivery_of_their_own() -> None:
    folder = ROOT / "knative" / "examples"
    examples = kustomize.build(folder).resources
    assert {f"{one['metadata']['name']}.yaml" for one in examples} == {
        path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"
    }
    (broker,) = of_kind("prod", "Broker")
    ours = {trigger["metadata"]["name"] for trigger in of_kind("prod", "Trigger")}
    known = {f"org.icecube.skydriver.{fact}.v1" for fact in Fact}
    for one in examples:
        assert one["kind"] == "Trigger"
        assert one["metadata"]["name"] not in ours
        assert one["spec"]["broker"] == broker["metadata"]["name"]
        assert one["spec"]["delivery"].keys() >= {"retry", "backoffPolicy", "deadLetterSink"}
        named = set(re.findall(r"org\.icecube\.skydriver\.[\w.]+\.v1", str(one["spec"]["filters"])))
        assert named <= known
    if not CRDS.is_dir():
        missing("shared", f"there is no {CRDS}")
    schema = Draft202012Validator(schemas_by_kind()["eventing.knative.dev/v1", "Trigger"])
    assert [error.message for one in examples for error in schema.iter_errors(one)] == []


@pytest.mark.parametrize("name", ["local", "dev", "prod", "gateway-api"])
def test_objects_fit_the_schemas_of_knative_and_the_gateway_api(name: str) -> None:
    if not CRDS.is_dir():
        missing("shared", f"there is no {CRDS}")
    schemas = schemas_by_kind()
    checked = set()
    for resource in resources(name) if name != "gateway-api" else http_route_documents():
        schema = schemas.get((resource["apiVersion"], resource["kind"]))
        if schema is not None:
            errors = [error.message for error in Draft202012Validator(schema).iter_errors(resource)]
            assert not errors, resource["metadata"]["name"]
            checked.add(resource["kind"])
    ours = {"Service", "Broker", "Trigger", "PingSource", "SinkBinding"}
    assert checked >= (ours if name != "gateway-api" else {"HTTPRoute"})


def http_route_documents() -> tuple[dict[str, Any], ...]:
    return tuple(yaml.load_all((OVERLAYS / "gateway-api" / "httproutes.yaml").read_text(), yaml.CSafeLoader))


@every_overlay
def test_objects_fit_the_models_of_kubernetes(name: str) -> None:
    checked = set()
    for resource in resources(name):
        model = MODELS.get(resource["kind"])
        if model is not None and "knative" not in resource["apiVersion"]:
            assert unknown_fields(resource, model.from_dict(resource).model_dump(by_alias=True)) == []
            checked.add(resource["kind"])
    in_cluster = set() if name == "local" else {"NetworkPolicy"}
    assert checked == {"ConfigMap", "ServiceAccount", "Role", "RoleBinding"} | in_cluster


MODELS: dict[str, Any] = {
    "ConfigMap": V1ConfigMap,
    "NetworkPolicy": V1NetworkPolicy,
    "Role": V1Role,
    "RoleBinding": V1RoleBinding,
    "ServiceAccount": V1ServiceAccount,
}


def unknown_fields(given: Any, read: Any, path: str = "") -> list[str]:
    """List what a model has dropped, since it does not know it."""
    if isinstance(given, dict):
        return [
            field
            for key, value in given.items()
            for field in (
                unknown_fields(value, read[key], f"{path}.{key}") if key in read else [f"{path}.{key}"]
            )
        ]
    if isinstance(given, list):
        pairs = zip(given, read, strict=True)
        return [f for a, b in pairs for f in unknown_fields(a, b, f"{path}[]")]
    return []


def schemas_by_kind() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for path in CRDS.glob("*/*.yaml"):
        for crd in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            for version in crd["spec"]["versions"]:
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                schema = version["schema"]["openAPIV3Schema"]
                for own in ("apiVersion", "kind"):
                    schema["properties"].setdefault(own, {"type": "string"})
                schema["properties"]["metadata"] = {"type": "object"}
                found[key] = closed(schema)
    return found


def closed(schema: Any) -> Any:
    """Make fields that an API server would drop silently into errors."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        schema["additionalProperties"] = False
    return schema


@every_overlay
def test_the_local_reader_builds_what_kustomize_builds(name: str) -> None:
    kustomize_itself = folder_of("kustomize") / "kustomize"
    if not kustomize_itself.exists():
        missing("kustomize", "it is not built")
    command = [str(kustomize_itself), "build", str(OVERLAYS / name)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # The suffix of generated names is kustomize's own.
    plain = re.sub(r"\b(skydriver-(?:settings|files))-[0-9a-z]{10}\b", r"\1", out)
    theirs = {identity(item): item for item in yaml.load_all(plain, yaml.CSafeLoader)}
    ours = {identity(item): item for item in json.loads(json.dumps(resources(name)))}
    for kind_and_name, resource in ours.items():
        # kustomize also fills in the namespace of a RoleBinding's subjects, which we do not read.
        if kind_and_name[0] != "RoleBinding":
            assert resource == theirs[kind_and_name]
    assert ours.keys() == theirs.keys()


def identity(resource: dict[str, Any]) -> tuple[str, str]:
    return resource["kind"], resource["metadata"]["name"]
