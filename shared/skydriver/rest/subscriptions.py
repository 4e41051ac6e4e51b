"""Subscriptions as their owners and operators see them."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from skydriver.errors import Forbidden
from skydriver.model.fields import Boolean
from skydriver.model.subscriptions import Delivery, Protocol, Subscription
from skydriver.rest.auth import Caller, Role
from skydriver.store.subscriptions import Whose

MAX_NAME = 256


class FindSubscriptionsArguments(BaseModel):
    """The arguments of `GET /subscriptions`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    all: Boolean = Field(False, description="those of all users; needs the role `system`")
    owner: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = Field(
        None, description="those of this user; needs the role `system` unless it is the caller"
    )

    @field_validator("owner")
    @classmethod
    def _one_of_both(cls, owner: str | None, info: ValidationInfo) -> str | None:
        if owner is not None and info.data.get("all"):
            raise ValueError("must not be given together with all")
        return owner


def is_operator(caller: Caller) -> bool:
    """Say whether a caller may see and suspend all subscriptions."""
    return Role.SYSTEM in caller.roles


def own(caller: Caller) -> Whose:
    """Select a caller's own subscriptions."""
    return Whose(caller.name)


def visible(caller: Caller) -> Whose:
    """Select the subscriptions that a caller may see and remove: their own; for operators, all."""
    return Whose(caller.name, of_all=is_operator(caller))


def asked_for(caller: Caller, arguments: FindSubscriptionsArguments) -> Whose:
    """Select the subscriptions that a caller asks for: by default, their own.

    Raises:
        Forbidden: they ask for those of others, and are no operator.
    """
    if not arguments.all and arguments.owner in (None, caller.name):
        return own(caller)
    if not is_operator(caller):
        raise Forbidden(f"authorization failed: others' subscriptions need the role {Role.SYSTEM}")
    return Whose(arguments.owner, of_all=arguments.all)


def subscription_of(subscription: Subscription) -> dict[str, Any]:
    """Make the shown form of a subscription: the sink is masked, and there is no secret."""
    consent = subscription["consent"]
    return {
        "subscription_id": subscription["_id"],
        "owner": subscription["owner"],
        "protocol": subscription["protocol"],
        "sink": subscription["shown_sink"],
        "types": subscription["types"],
        "filters": subscription["filters"],
        "state": subscription["state"],
        "reason": subscription["reason"],
        "reason_code": subscription["reason_code"],
        "created_at": subscription["created_at"],
        "expires_at": subscription["expires_at"].timestamp(),
        "consented_at": None if consent is None else consent["given_at"],
        "allowed_rate": None if consent is None else consent["rate"],
        "failing_since": subscription["failing_since"],
    }


def with_deliveries(subscription: Subscription, deliveries: Iterable[Delivery]) -> dict[str, Any]:
    """Make the shown form of a subscription, with its latest deliveries, the newest first."""
    return {**subscription_of(subscription), "deliveries": [_delivery_of(one) for one in deliveries]}


def with_secret(subscription: Subscription) -> dict[str, Any]:
    """Make the form that is shown only once: a webhook's has the secret that signs its deliveries.

    Raises:
        NotConfigured: this function lacks keys.
    """
    # Few functions have the keys.
    from skydriver.notify.signatures import secret_of

    is_signed = subscription["protocol"] == Protocol.HTTP
    secret = secret_of(subscription["_id"], subscription["generation"], subscription["key_id"])
    return {**subscription_of(subscription), "secret": secret if is_signed else None}


def _delivery_of(delivery: Delivery) -> dict[str, Any]:
    return {
        "event_id": delivery["event"]["id"],
        "type": delivery["event"]["type"],
        "scan_id": delivery["scan_id"],
        "state": delivery["state"],
        "tries": delivery["tries"],
        "status": delivery["status"],
        "reason": delivery["reason"],
        "reason_code": delivery["reason_code"],
        "created_at": delivery["created_at"],
        "not_before": delivery["not_before"],
        "delivered_at": delivery.get("delivered_at"),
    }
