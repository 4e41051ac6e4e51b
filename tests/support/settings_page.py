"""`python -m tests.support.settings_page`: writes docs/settings.md from the settings and the manifests."""

import re
from pathlib import Path
from typing import Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from skydriver.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"

GROUPS: dict[str, tuple[str, ...]] = {
    "Addresses of the service and its parts": (
        *("skydriver_url", "k_sink", "mongodb_uri", "mongodb_database"),
        *("s3_endpoint_url", "s3_bucket", "aws_access_key_id", "aws_secret_access_key", "aws_region"),
        *("grafana_dashboard_baseurl", "otel_exporter_otlp_endpoint", "log_level"),
    ),
    "Users and tokens": (
        *("auth_openid_url", "auth_audience", "auth_claims", "alerts_need_role", "auth_keys_max_age"),
        *("skydriver_no_auth", "scanner_token_key"),
        *("dashboard_client_id", "dashboard_client_secret", "session_keys"),
    ),
    "Scanner images and servers": (
        *("scanner_backend", "image_tag_source", "image_tags", "image_tags_ttl", "dockerhub_url"),
        *("cvmfs_images", "v3_image_tags", "k8s_namespace", "service_image", "scanner_service_account"),
        *("scanner_user", "scanner_cpu", "scanner_ttl", "image_pull_timeout"),
        *("scanner_deadline", "startup_deadline", "local_jobs_url", "kubeconfig"),
    ),
    "Message broker of the scanners": (
        *("skyscan_broker_address", "skyscan_broker_auth", "keycloak_oidc_url"),
        *("keycloak_oidc_client_id_broker", "keycloak_oidc_client_secret_broker"),
        *("broker_management_url", "broker_management_user", "broker_management_password"),
        "broker_acknowledgement_timeout",
    ),
    "Passed on to scanners": (
        *("skyscan_progress_interval_sec", "skyscan_result_interval_sec", "skyscan_log"),
        *("skyscan_kill_switch_check_interval", "skyscan_mq_timeout_to_clients"),
        *("skyscan_mq_timeout_from_clients", "skyscan_log_third_party", "ewms_pilot_quarantine_time"),
    ),
    "Workers": (
        *("clusters_file", "cluster_secrets", "max_worker_runtime", "max_cluster_tries"),
        *(
            "workers_dead_grace",
            "stop_deadline",
            "worker_priority_class",
            "alert_priority_class",
            "client_logs_deadline",
        ),
    ),
    "Limits": (
        *("starts_per_minute", "scans_running", "backlog_limit", "max_attempts", "max_refusals"),
        *("max_event_bytes", "max_result_bytes", "max_body_bytes"),
    ),
    "Deadlines and retries": (
        *("step_deadline", "step_lease", "call_timeout", "htcondor_timeout", "find_deadline"),
        *("retry_delay", "redrive_after", "pixel_deadline", "stall_after", "stall_factor"),
    ),
    "Notifications": (
        *("announced_reports", "subscription_keys", "subscription_insecure_sinks", "deliveries_per_minute"),
        *(
            "delivery_retry_delay",
            "delivery_give_up",
            "max_subscriptions",
            "confirmations_a_day",
            "slack_host",
        ),
        *("smtp_host", "smtp_port", "smtp_security", "smtp_user", "smtp_password", "smtp_from"),
    ),
    "What is kept, and for how long": (
        *("results_days", "events_days", "client_logs_days", "unclaimed_result_age"),
    ),
}
"""Every field of the settings, once."""

HEAD = """\
# Settings

Each setting is an environment variable of the functions. What differs by installation stands in
`settings.env` of an overlay (`knative/overlays/*/settings.env`). Secrets are keys of the Secrets that the
tables name, and reach only the functions that mount them. A variable that is missing or wrong keeps a
function from starting, and its log names it.

`make docs` writes this page from `shared/skydriver/settings.py` and `knative/`.
"""


def page() -> str:
    """Write the page."""
    users = secret_users()
    lines = [HEAD]
    for title, names in GROUPS.items():
        lines += [
            f"## {title}",
            "",
            "| variable | type | default | meaning | needed by |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(name, Settings.model_fields[name], users) for name in names]
        lines.append("")
    return "\n".join(lines)


def secret_users() -> dict[str, str]:
    """Tell who needs each secret setting: its Secret, and how many functions mount it.

    The variables of a Secret are those of the commands in docs/operate.md that make it.
    """
    mounted: dict[str, int] = {}
    for path in (ROOT / "knative" / "base" / "functions").glob("*.yaml"):
        for document in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            for name in re.findall(r"'secretRef': {'name': '([\w-]+)'", str(document)):
                mounted[name] = mounted.get(name, 0) + 1
    operate = (ROOT / "docs" / "operate.md").read_text()
    found = {}
    for command in re.split(r"\n\s*\n|kubectl ", operate):
        if secret := re.search(r"create secret generic (\S+)", command):
            for variable in re.findall(r"--from-literal=(\w+)=", command):
                n = mounted[secret[1]]
                found[variable.lower()] = f"{n} function{'' if n == 1 else 's'}, by the Secret `{secret[1]}`"
    return found


def _row(name: str, field: FieldInfo, users: dict[str, str]) -> str:
    secret = SecretStr in (field.annotation, *get_args(field.annotation)) or "SecretStr" in str(
        field.annotation
    )
    needed = users.get(name, "functions that mount it") if secret else "all functions"
    if field.is_required():
        needed += "; **required**"
    cells = (
        f"`{name.upper()}`",
        _type(field, secret),
        _default(field, secret),
        field.description or "",
        needed,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(field: FieldInfo, secret: bool) -> str:
    if secret:
        return "secret"
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    kinds = (
        [kind for kind in get_args(annotation) if kind is not type(None)]
        if _is_union(annotation)
        else [annotation]
    )
    name = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}[
        kinds[0].__name__  # type: ignore[union-attr]
    ]
    bounds = [f"> {one.gt:g}" for one in field.metadata if isinstance(one, Gt)]
    bounds += [f"≥ {one.ge:g}" for one in field.metadata if isinstance(one, Ge)]
    return " ".join([name, *bounds])


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"


def _default(field: FieldInfo, secret: bool) -> str:
    if field.is_required() or secret or field.default in (None, ""):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    PAGE.write_text(page())
