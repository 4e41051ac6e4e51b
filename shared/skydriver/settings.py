"""The settings of an installation, read from the environment once a process."""

import os
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skydriver.model.worker_pools import KnownCluster


_CLAIM = r"(v1|v2|(user|system|realtime):[\w.-]+=[^,=]+)"
MIN_KEY_LENGTH = 32


def _long_keys(keys: SecretStr) -> SecretStr:
    """Check a list of keys that sign or encrypt."""
    lengths = [len(key.strip()) for key in keys.get_secret_value().split(",")]
    if min(lengths) < MIN_KEY_LENGTH:
        raise ValueError(f"each key needs {MIN_KEY_LENGTH} characters or more")
    return keys


KeyList = Annotated[SecretStr, AfterValidator(_long_keys)]
"""Keys by commas, as `skydriver.runtime.keys` reads them."""


class Settings(BaseModel):
    """What functions need to know; each field is an environment variable of the same name in capitals."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    skydriver_url: str = Field(description="the service's own public address, which scanners report to")
    mongodb_uri: SecretStr | None = Field(None, description="of functions that use the database")
    mongodb_database: str = Field("SkyDriver_DB", description="the database of this service")
    k_sink: str = Field(description="the broker's ingress, which events are published to")

    s3_endpoint_url: str | None = Field(None, description="the S3 API; not set: AWS")
    s3_bucket: str = Field("skydriver", description="the bucket for startup files, logs and skymaps")
    aws_access_key_id: SecretStr = Field(SecretStr(""), description="the S3 user")
    aws_secret_access_key: SecretStr = Field(SecretStr(""), description="the key of the S3 user")
    aws_region: str = Field("us-east-1", description="the region of the bucket")

    auth_openid_url: str | None = Field(None, description="the Keycloak realm that signs users' tokens")
    auth_audience: str = Field(
        "skydriver", description="the audience of users' tokens; several are separated by commas"
    )
    auth_claims: str = Field(
        "v1",
        pattern=rf"^{_CLAIM}(, *{_CLAIM})*$",
        description="which claims give roles: the presets `v1` and `v2`, or `ROLE:CLAIM=VALUE`, by commas; "
        "dots lead into a claim",
    )
    skydriver_no_auth: bool = Field(False, description="no login: for one machine only")
    auth_keys_max_age: float = Field(
        300.0, gt=0, description="seconds that the realm's public keys, and tokens they verified, are trusted"
    )
    alerts_need_role: bool = Field(
        True, description="a priority of 100 or more needs the role `realtime` or `system`"
    )
    keycloak_oidc_url: str | None = Field(
        None, description="the Keycloak realm that gives the broker's tokens"
    )
    keycloak_oidc_client_id_broker: str | None = Field(
        None, description="the Keycloak client that gets the message broker's tokens"
    )
    keycloak_oidc_client_secret_broker: SecretStr | None = Field(
        None, description="the secret of `KEYCLOAK_OIDC_CLIENT_ID_BROKER`"
    )
    scanner_token_key: KeyList | None = Field(
        None,
        description="keys of 32 characters and more, separated by commas: the first signs the scanners' own"
        " tokens, all verify them; of functions that make or take such tokens",
    )
    session_keys: KeyList | None = Field(
        None,
        description="keys of 32 characters and more, separated by commas: the first encrypts the dashboard's "
        "sessions, all decrypt them; of functions that serve pages, or take their sessions",
    )
    dashboard_client_id: str = Field(
        "skydriver-dashboard", description="the Keycloak client that the dashboard's users log in by"
    )
    dashboard_client_secret: SecretStr | None = Field(None, description="the secret of `DASHBOARD_CLIENT_ID`")

    subscription_keys: KeyList | None = Field(
        None,
        description="keys of 32 characters and more, separated by commas: the first encrypts subscriptions' "
        "sinks, and makes their secrets and links; all of them decrypt and verify; of functions that serve "
        "subscriptions, or deliver",
    )
    subscription_insecure_sinks: bool = Field(
        False,
        description="webhooks may be plain HTTP, on any port and address: for one machine and tests only",
    )
    deliveries_per_minute: int = Field(
        60, ge=1, description="the most deliveries to a subscription in a minute; further ones wait"
    )
    delivery_retry_delay: float = Field(
        30.0,
        gt=0,
        description="seconds that a subscription waits after a failed delivery; doubles each time, up to an "
        "hour",
    )
    delivery_give_up: float = Field(
        86400.0, gt=0, description="seconds of failed deliveries after which a subscription is suspended"
    )
    slack_host: str = Field(
        "hooks.slack.com",
        description="the host of Slack's incoming webhooks; empty: nothing is sent to Slack",
    )
    smtp_host: str | None = Field(None, description="the mail server; not set: no e-mail is sent")
    smtp_port: int = Field(587, ge=1, description="its port; with `tls` usually 465")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how connections to it are encrypted; `none`: for one machine and tests only"
    )
    smtp_user: str | None = Field(None, description="its user; not set: no login")
    smtp_password: SecretStr | None = Field(None, description="the password of that user")
    smtp_from: str | None = Field(None, description="the sender's address of e-mail")

    max_subscriptions: int = Field(20, ge=1, description="the most subscriptions of a user")
    confirmations_a_day: int = Field(
        20, ge=1, description="the most e-mails a day that ask others for their consent, for each user"
    )

    scanner_backend: Literal["kubernetes", "local"] = Field(
        "local", description="where scanner servers run: as Jobs of this cluster, or on this machine"
    )
    local_jobs_url: str | None = Field(None, description="the local runtime's job host")
    image_tag_source: Literal["dockerhub", "cvmfs", "static"] = Field(
        "static", description="where the tags of the scanner's image are looked up"
    )
    image_tags: str = Field("", description="the tags that the `static` source knows, separated by commas")
    dockerhub_url: str = Field("https://hub.docker.com", description="where the `dockerhub` source asks")
    cvmfs_images: Path = Field(
        Path("/cvmfs/icecube.opensciencegrid.org/containers/realtime"),
        description="the folder with an image `skymap_scanner:TAG` a tag: the `cvmfs` source lists it, and "
        "workers on HTCondor take their image from there",
    )
    image_tags_ttl: float = Field(300.0, ge=0, description="seconds that a list of tags is taken for true")
    clusters_file: Path = Field(description="the worker pools (`knative/base/clusters.yaml`)")
    cluster_secrets: Path = Field(
        Path("/etc/cluster-secrets"),
        description="a folder with a sub-folder for each cluster's secret, by its name",
    )

    starts_per_minute: int = Field(10, ge=1, description="scanner starts a minute, alerts aside")
    scans_running: int = Field(200, ge=1, description="scans placed at once, alerts aside")
    backlog_limit: int = Field(10_000, ge=1, description="scans that may wait at once, alerts aside")
    max_worker_runtime: int = Field(
        86400,
        ge=1,
        validation_alias=AliasChoices("ewms_max_worker_runtime__default", "max_worker_runtime"),
        description="seconds that a worker may run, where a request does not say",
    )
    scanner_deadline: int = Field(172800, ge=1, description="seconds after which a scanner server is ended")
    startup_deadline: int = Field(7200, ge=1, description="seconds a scanner server has to become ready")
    max_attempts: int = Field(3, ge=1, description="scanner servers that a scan may use up")
    max_refusals: int = Field(10, ge=1, description="refused starts of one attempt after which a scan fails")
    max_cluster_tries: int = Field(6, ge=1, description="tries to start a cluster before it is given up")
    workers_dead_grace: float = Field(
        300.0, ge=0, description="seconds that all workers must be dead before a scan fails"
    )
    stop_deadline: float = Field(
        3600.0,
        ge=0,
        description="seconds after which a cluster or server that cannot be stopped is 'not verified'",
    )
    retry_delay: float = Field(15.0, gt=0, description="seconds before a first retry; doubles each time")
    redrive_after: float = Field(60.0, gt=0, description="seconds until the sweep takes up what lies still")
    unclaimed_result_age: float = Field(
        3600.0, gt=0, description="seconds after which a stored result that no scan points to is removed"
    )
    step_deadline: float = Field(
        40.0, gt=0, description="seconds that a function may work at an event; less than its Service allows"
    )
    step_lease: float = Field(120.0, gt=0, description="seconds that a step holds what it works at")
    call_timeout: float = Field(20.0, gt=0, description="seconds that a call to another part may take")
    htcondor_timeout: float = Field(
        25.0, gt=0, description="the same for a query, a submission or a removal at a schedd"
    )
    client_logs_deadline: float = Field(
        600.0, ge=0, description="seconds that workers are given to hand in their logs (`client-logs`)"
    )
    client_logs_days: int = Field(30, ge=1, description="days that workers' logs are kept in S3")

    results_days: float | None = Field(
        None,
        gt=0,
        description="days that a result is kept after its scan's end; not set: for ever",
    )
    events_days: float | None = Field(
        None, gt=0, description="days that an event is kept after the end of the last scan that used it"
    )

    skyscan_broker_address: str = Field(
        "",
        description="the message broker, `[USER@]HOST[:PORT][/VHOST]`; scanners since v4 need one",
    )
    skyscan_broker_auth: SecretStr | None = Field(
        None,
        description="the broker's password, where Keycloak gives no token; of functions that start "
        "scanner servers or workers",
    )
    broker_management_url: str | None = Field(
        None, description="RabbitMQ's management API, which queues of ended scans are deleted by"
    )
    broker_management_user: str = Field("", description="RabbitMQ's user that deletes queues")
    broker_management_password: SecretStr | None = Field(None, description="the password of that user")
    broker_acknowledgement_timeout: int = Field(
        1800,
        ge=2,
        description="seconds after which RabbitMQ takes a pixel back (its `consumer_timeout`); bounds "
        "`max_pixel_reco_time` of scanners since v4",
    )
    v3_image_tags: str = Field(
        "", description="tags without a version that are older than v4, separated by commas"
    )
    pixel_deadline: float = Field(
        7200.0,
        gt=0,
        description="seconds that a scan since v4 may go without a new pixel while workers run",
    )
    stall_after: float = Field(
        1800.0,
        gt=0,
        description="seconds without a new pixel after which a running scan counts as stalled, which is "
        "announced and ends nothing (`PIXEL_DEADLINE` does)",
    )
    stall_factor: float = Field(
        5.0,
        ge=0,
        description="the same as a multiple of the median time between growths of the scan's number of "
        "pixels; the longer of the two times counts",
    )
    announced_reports: str = Field(
        "",
        pattern=r"^(\s*|\s*scan\.(progress|result)_reported\s*(,\s*scan\.(progress|result)_reported\s*)*)$",
        description="which reports of scanners are published as events: `scan.progress_reported`, "
        "`scan.result_reported`, by commas; each event costs a report a second write",
    )
    skyscan_progress_interval_sec: float | None = Field(
        None, description="seconds between reports of progress"
    )
    skyscan_result_interval_sec: float | None = Field(None, description="seconds between partial results")
    skyscan_kill_switch_check_interval: float | None = Field(
        None, description="seconds between looks whether the scan was stopped"
    )
    skyscan_mq_timeout_to_clients: int | None = Field(
        None, description="seconds that a client waits for a pixel"
    )
    skyscan_mq_timeout_from_clients: int | None = Field(
        None, description="seconds that the server waits for an answer"
    )
    skyscan_log: str | None = Field(None, description="the level of its log")
    skyscan_log_third_party: str | None = Field(None, description="the level of its libraries' logs")
    ewms_pilot_quarantine_time: int | None = Field(
        None, description="seconds that a failed worker waits before it ends"
    )

    grafana_dashboard_baseurl: str = Field("", description="the dashboard that a manifest links to")
    k8s_namespace: str = Field("default", description="where scanner servers and workers of this cluster run")
    kubeconfig: Path | None = Field(None, description="a way into Kubernetes from outside; for operators")
    service_image: str = Field("icecube/skydriver:main", description="the service's own, for the uploader")
    scanner_service_account: str = Field("scanner", description="of scanner servers; it has no rights")
    scanner_user: int = Field(1000, ge=1, description="the user id that scanner servers and workers run as")
    scanner_cpu: float = Field(
        0.1, gt=0, le=1, description="the processors that a scanner server asks for; it may use one"
    )
    scanner_ttl: int = Field(600, ge=0, description="seconds that an ended scanner server's Job is kept")
    image_pull_timeout: float = Field(
        180.0, ge=0, description="seconds after which an image that cannot be pulled is given up"
    )
    worker_priority_class: str | None = Field(None, description="the PriorityClass of workers' pods")
    alert_priority_class: str | None = Field(
        None,
        description="the PriorityClass of workers' pods of alerts (priority 100 and more); without: "
        "`WORKER_PRIORITY_CLASS`",
    )
    log_level: str = Field("INFO", description="the least severe messages that functions log")
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="an OpenTelemetry collector (OTLP over HTTP) for traces and metrics; without, none"
    )

    find_deadline: float = Field(20.0, gt=0, description="seconds that the database may spend on one search")

    max_event_bytes: int = Field(12 * 2**20, description="bytes of an event")
    max_result_bytes: int = Field(64 * 2**20, description="bytes of a result")
    max_body_bytes: int = Field(2**20, description="bytes of any other request")

    @field_validator("skyscan_broker_address")
    @classmethod
    def _a_scanner_can_use_it(cls, address: str) -> str:
        if address:
            # Few functions have one.
            from skydriver.model.broker_address import check_address

            check_address(address)
        return address

    @property
    def has_broker(self) -> bool:
        """Whether scanners since v4 can run here."""
        return bool(self.skyscan_broker_address)

    @cached_property
    def v3_tags(self) -> frozenset[str]:
        """The tags without a version that are older than v4."""
        return frozenset(filter(None, map(str.strip, self.v3_image_tags.split(","))))

    @property
    def announced(self) -> frozenset[str]:
        """The facts of reports that are published."""
        return frozenset(filter(None, map(str.strip, self.announced_reports.split(","))))

    @model_validator(mode="after")
    def _someone_is_asked(self) -> Self:
        if not self.skydriver_no_auth and not self.auth_openid_url:
            raise ValueError("set AUTH_OPENID_URL to a Keycloak realm, or SKYDRIVER_NO_AUTH=true")
        return self

    @classmethod
    def of_environment(cls) -> Self:
        """Read the environment of this process.

        Raises:
            pydantic.ValidationError: a variable is missing or wrong; the error names it.
        """
        return cls.model_validate({name.lower(): value for name, value in os.environ.items()})


@cache
def settings() -> Settings:
    """Read the settings; the same object each time.

    Raises:
        pydantic.ValidationError: a variable is missing or wrong; the error names it.
    """
    return Settings.of_environment()


def known_clusters_at(orchestrator: str, location: "Mapping[str, str]") -> "dict[str, KnownCluster]":
    """Find the known worker clusters at a location, by name; users may know one by several names."""
    return {
        name: known
        for name, known in known_clusters().items()
        if known.orchestrator == orchestrator and known.location.model_dump() == dict(location)
    }


@cache
def known_clusters() -> "dict[str, KnownCluster]":
    """Read the known worker clusters from the file that CLUSTERS_FILE names, by name.

    Raises:
        pydantic.ValidationError: the file is wrong; the error names the entry.
        OSError: it cannot be read.
    """
    # Few functions need them.
    import yaml

    from skydriver.model.worker_pools import ClustersFile

    content = yaml.load(settings().clusters_file.read_text(), yaml.CSafeLoader)
    return ClustersFile.model_validate(content).clusters
