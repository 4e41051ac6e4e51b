"""Each module has its test where one looks for it: tests/unit/ROOM/test_NAME.py or tests/integration/..."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "shared" / "skydriver"

ELSEWHERE = {
    "cli/commands/moving": "tests/integration/importing/test_commands.py",
    "importing/__main__": "tests/integration/importing/test_commands.py",
    "importing/convert": "tests/integration/importing/test_references.py",
    "importing/report": "tests/integration/importing/test_run.py",
    "importing/requests": "tests/integration/importing/test_references.py",
    "importing/source": "tests/integration/importing/test_run.py",
    "importing/states": "tests/integration/importing/test_run.py",
    "store/import_asides": "tests/integration/importing/test_run.py",
    "store/scans/imported": "tests/integration/importing/test_run.py",
    "check/__main__": "tests/unit/check/test_inside.py",
    "check/finding": "tests/unit/check/test_inside.py",
    "check/dashboard": "tests/system/test_keycloak.py",
    "cli/commands/check": "tests/unit/check/test_outside.py",
    "cli/commands/login": "tests/unit/cli/test_sessions.py",
    "cli/context": "tests/unit/cli/test_main.py",
    "cli/errors": "tests/unit/cli/test_main.py",
    "cli/files": "tests/unit/cli/commands/test_result.py",
    "cli/products": "tests/unit/cli/commands/test_skymap.py",
    "cli/request_options": "tests/unit/cli/commands/test_scan.py",
    "cli/secrets": "tests/unit/cli/test_outcome.py",
    "cli/web": "tests/unit/cli/test_client.py",
    "cli/why": "tests/unit/cli/commands/test_status.py",
    "gateway/forwarded_host": "tests/unit/ui/test_forms.py",
    "gateway/httproutes": "tests/unit/knative/test_manifests.py",
    "gateway/proxy": "tests/unit/functions/test_gateway.py",
    "lifecycle/notifications/due": "tests/integration/lifecycle/notifications/test_notify_subscribers.py",
    "lifecycle/sweep/announce_deliveries": (
        "tests/integration/lifecycle/notifications/test_deliver_notification.py"
    ),
    "lifecycle/scanner/scanner_ready": "tests/integration/lifecycle/workers/test_request_workers.py",
    "lifecycle/sweep/remove_old_events": "tests/integration/lifecycle/sweep/test_remove_old_results.py",
    "lifecycle/sweep/remove_old_logs": "tests/integration/lifecycle/workers/test_worker_logs.py",
    "lifecycle/transition": "tests/integration/lifecycle/test_transition_finish.py",
    "lifecycle/users/limits": "tests/integration/lifecycle/users/test_create_scan.py",
    "lifecycle/users/store_scan": "tests/integration/lifecycle/users/test_create_scan.py",
    "lifecycle/users/add_workers": "tests/integration/rest/test_requests.py",
    "lifecycle/subscriptions/ask_receiver": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/change_subscription": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/confirm_subscription": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/create_subscription": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/delete_subscription": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/owned": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/rotate_subscription_secret": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/test_subscription": "tests/integration/rest/test_subscriptions.py",
    "lifecycle/subscriptions/unsubscribe": "tests/integration/rest/test_subscriptions.py",
    "local/environment": "tests/integration/local/test_service.py",
    "local/jobs/api": "tests/integration/local/jobs/test_host.py",
    "local/knative/functions": "tests/integration/local/test_service.py",
    "local/knative/objects": "tests/unit/local/knative/test_overlay.py",
    "local/knative/proxy": "tests/integration/local/test_service.py",
    "local/together": "tests/integration/local/test_service.py",
    "local/watch": "tests/integration/local/test_service.py",
    "lifecycle/workers/ask_for_observation": "tests/integration/rest/test_workforce.py",
    "model/broker_address": "tests/unit/scanner/test_ewms_json.py",
    "model/images": "tests/unit/scanner/test_image_sources.py",
    "model/reasons": "tests/integration/lifecycle/test_transition_fail.py",
    "notify/errors": "tests/integration/notify/test_webhook.py",
    "notify/send": "tests/integration/notify/test_webhook.py",
    "rest/http_function": "tests/unit/functions/test_functions.py",
    "rest/openapi/operations": "tests/integration/rest/openapi/test_document.py",
    "rest/openapi/schemas": "tests/integration/rest/openapi/test_document.py",
    "rest/openapi/swagger_ui": "tests/integration/rest/openapi/test_document.py",
    "rest/skymaps/arguments": "tests/integration/rest/skymaps/test_response.py",
    "rest/results": "tests/integration/rest/test_reads.py",
    "runtime/json_web_tokens": "tests/unit/scanner/test_tokens.py",
    "runtime/error_response": "tests/unit/rest/test_responses.py",
    "s3/client": "tests/integration/s3/test_logs.py",
    "s3/skymaps": "tests/integration/rest/skymaps/test_response.py",
    "skymap/definitions": "tests/unit/skymap/test_options.py",
    "skymap/products": "tests/integration/rest/skymaps/test_response.py",
    "skymap/contours": "tests/unit/skymap/test_regions.py",
    "skymap/moc": "tests/unit/skymap/test_fits.py",
    "skymap/names": "tests/unit/skymap/test_fits.py",
    "skymap/notice": "tests/unit/skymap/test_summary.py",
    "skymap/result": "tests/unit/skymap/test_probability.py",
    "skymap/smoothing": "tests/unit/skymap/test_summary.py",
    "skymap/sphere": "tests/unit/skymap/test_regions.py",
    "skymap/views": "tests/unit/skymap/test_picture.py",
    "standin/recos": "tests/unit/standin/test_surface.py",
    "standin/server": "tests/integration/standin/test_standin.py",
    "standin/v4/client": "tests/unit/standin/v4/test_parts.py",
    "standin/v4/queue": "tests/unit/standin/v4/test_parts.py",
    "standin/v4/server": "tests/unit/standin/v4/test_parts.py",
    "standin/v4/settings": "tests/unit/standin/v4/test_parts.py",
    "store/ended_sessions": "tests/integration/rest/test_sessions.py",
    "store/confirmations": "tests/integration/rest/test_subscriptions.py",
    "store/subscriptions": "tests/integration/rest/test_subscriptions.py",
    "ui/links": "tests/integration/rest/test_subscriptions.py",
    "store/escaped_names": "tests/integration/rest/test_classifiers.py",
    "store/scans/overview": "tests/integration/store/scans/test_queries.py",
    "telemetry/metrics": "tests/integration/lifecycle/sweep/test_send_metrics.py",
    "telemetry/otel": "tests/unit/telemetry/test_traces.py",
}
"""Modules whose test has another name: they are seen through a part that uses them, or share a file."""

DECLARATIONS = {"local/errors", "scanner/backend", "scanner/protocol", "workers/backend", "workers/protocol"}
"""Modules that only say what others are like: there is nothing in them that could be wrong by itself."""


def has_test(module: str) -> bool:
    room, _, name = module.rpartition("/")
    folders = (ROOT / "tests" / kind / room for kind in ("unit", "integration"))
    return any((folder / f"test_{name}.py").is_file() for folder in folders)


MODULES = sorted(
    str(path.relative_to(LIBRARY).with_suffix(""))
    for path in LIBRARY.rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_test(module: str) -> None:
    if module in ELSEWHERE:
        assert (ROOT / ELSEWHERE[module]).is_file()
    elif module not in DECLARATIONS:
        assert has_test(module)


def test_no_exception_is_left_behind() -> None:
    exceptions = ELSEWHERE.keys() | DECLARATIONS
    assert exceptions <= set(MODULES)
    assert not [module for module in exceptions if has_test(module)]
