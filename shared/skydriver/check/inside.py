"""Checks an installation with its own settings, as its functions have them."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import httpx
from pydantic import ValidationError

from skydriver.check.dashboard import check_dashboard
from skydriver.check.finding import Finding, Missing
from skydriver.check.notifications import check_mail_server, check_slack, check_subscription_keys
from skydriver.check.triggers import check_triggers
from skydriver.errors import NotAllowed, SkyDriverError
from skydriver.eventing.events import SOURCE
from skydriver.eventing.outbox import send
from skydriver.kube.client import Kubernetes, in_cluster
from skydriver.scanner.broker_queues import management
from skydriver.scanner.image_sources import known_tags
from skydriver.scanner.kubernetes.job import KIND
from skydriver.settings import known_clusters, settings

Check = Callable[[], Awaitable[str]]
TIMEOUT = 15.0
CHECKED = "org.icecube.skydriver.check.v1"
"""The type of an event that no Trigger wants."""


async def check_inside() -> list[Finding]:
    """Check everything that the settings name; without settings there is nothing else to check."""
    problems = _settings_problems()
    if problems:
        return problems
    found = [Finding("settings", True, "complete")]
    found += await asyncio.gather(*(_find(what, check) for what, check in CHECKS.items()))
    return found


def _settings_problems() -> list[Finding]:
    try:
        settings()
    except ValidationError as error:
        return [
            Finding(
                f"setting {'.'.join(str(part) for part in one['loc']).upper() or 'of access'}",
                False,
                one["msg"],
            )
            for one in error.errors(include_input=False)
        ]
    return []


async def _find(what: str, check: Check) -> Finding:
    try:
        async with asyncio.timeout(TIMEOUT):
            return Finding(what, True, await check())
    except TimeoutError:
        return Finding(what, False, f"no answer within {TIMEOUT:g} s")
    except (Missing, SkyDriverError) as error:
        return Finding(what, False, str(error))


async def _database() -> str:
    from pymongo.errors import PyMongoError

    from skydriver.store.mongo import collection

    try:
        await collection("scans").find_one({"_id": "check"}, {"_id": 1})
        indexes = len(await collection("scans").index_information())
    except PyMongoError as error:
        raise Missing(f"MONGODB_URI leads to no usable MongoDB: {type(error).__name__}") from error
    return (
        f"answers, with {indexes} indexes on scans"
        if indexes > 1
        else "answers; the first sweep makes its indexes"
    )


async def _bucket() -> str:
    def look() -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        from skydriver.s3.client import client

        try:
            client().head_bucket(Bucket=settings().s3_bucket)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise Missing(
                f"S3 refuses bucket '{settings().s3_bucket}' ({code}): make it, or allow it"
            ) from error
        except BotoCoreError as error:
            raise Missing(f"S3 does not answer at S3_ENDPOINT_URL: {type(error).__name__}") from error

    await asyncio.to_thread(look)
    return f"bucket '{settings().s3_bucket}' is there"


async def _issuer() -> str:
    realm = settings().auth_openid_url
    if realm is None:
        return "no login is needed (SKYDRIVER_NO_AUTH): for one machine only"
    answer = await _get(f"{realm.rstrip('/')}/.well-known/openid-configuration", "AUTH_OPENID_URL")
    if answer.status_code != 200:
        raise Missing(f"AUTH_OPENID_URL is no realm: it answers {answer.status_code}")
    return "the realm answers"


async def _broker() -> str:
    # An ingress answers for Brokers that are not there, too, unless it is given an event.
    event = {"id": str(uuid.uuid4()), "source": f"{SOURCE}check", "type": CHECKED, "subject": "", "data": {}}
    try:
        await send(event)
    except SkyDriverError as error:
        raise Missing(f"K_SINK leads to no Broker that takes events: {error}") from error
    return "the Broker takes events"


async def _get(url: str, setting: str) -> httpx.Response:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            return await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Missing(f"nothing answers at {setting}: {type(error).__name__}") from error


async def _message_broker() -> str:
    given = settings()
    if not given.has_broker:
        return "none: scanners since v4 cannot run here"
    if given.broker_management_url is None:
        return "its queues stay: no management API is configured (BROKER_MANAGEMENT_URL)"
    broker = management()
    if broker is None or given.broker_management_password is None:
        return "its queues are not looked at here: ask in tear-down, which has the password"
    queues = await broker.list_queues()
    await broker.check_rights()
    seconds = await broker.acknowledgement_timeout()
    allowed = given.broker_acknowledgement_timeout
    if seconds is None:
        said = f"no policy bounds pixels, so rabbitmq.conf must allow {allowed} s (consumer_timeout)"
    elif seconds < allowed:
        raise Missing(
            f"RabbitMQ takes a pixel back after {seconds:g} s, but BROKER_ACKNOWLEDGEMENT_TIMEOUT is"
            f" {allowed}: raise the policy's consumer-timeout, or lower the setting"
        )
    else:
        said = f"it lets a pixel take {seconds:g} s"
    return f"{len(queues)} queues on virtual host '{broker.vhost}', which may be deleted; {said}"


async def _kubernetes() -> str:
    if settings().scanner_backend != "kubernetes":
        return "not used: scanner servers are processes of this machine"
    cluster = Kubernetes(in_cluster, settings().k8s_namespace)
    try:
        servers = await cluster.find("Job", KIND)
    except NotAllowed:
        return "answers; the account of this function may not list scanner servers (that of sweep may)"
    return f"answers; {len(servers)} scanner servers in namespace '{settings().k8s_namespace}'"


async def _images() -> str:
    tags = await known_tags()
    if not tags:
        raise Missing(f"the source '{settings().image_tag_source}' knows no tag of the scanner's image")
    return f"{len(tags)} tags of the scanner's image are known"


async def _clusters() -> str:
    try:
        known = known_clusters()
    except (OSError, ValueError) as error:
        raise Missing(f"CLUSTERS_FILE cannot be read: {error}") from error
    names = ", ".join(sorted(known)) or "none"
    secrets = {name: cluster.secret for name, cluster in known.items() if cluster.secret}
    folder = settings().cluster_secrets
    if secrets and not folder.is_dir():
        return f"{names}; this function goes to none of them (start-workers does, and has the credentials)"
    # An optional Secret that is not there is an empty folder.
    absent = [name for name, secret in secrets.items() if not any(folder.glob(f"{secret}/*"))]
    if absent:
        raise Missing(
            f"no credentials for {', '.join(sorted(absent))} in {folder}: make the Secrets that"
            " clusters.yaml names"
        )
    return names


CHECKS: dict[str, Check] = {
    "MongoDB": _database,
    "S3": _bucket,
    "Keycloak": _issuer,
    "dashboard": check_dashboard,
    "Broker": _broker,
    "message broker": _message_broker,
    "Kubernetes": _kubernetes,
    "Triggers": check_triggers,
    "scanner images": _images,
    "worker clusters": _clusters,
    "mail server": check_mail_server,
    "Slack": check_slack,
    "subscription keys": check_subscription_keys,
}
