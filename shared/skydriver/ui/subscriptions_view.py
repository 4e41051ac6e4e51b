"""The page of a user's subscriptions: its data, its form, and the arguments that a form stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skydriver.errors import InvalidArguments, SkyDriverError, TemporaryError
from skydriver.model.subscription_arguments import DEFAULT_TYPES, MAX_DAYS
from skydriver.model.subscriptions import NOTIFIED, DeliveryState, Protocol, SubscriptionState
from skydriver.model.transitions import Fact
from skydriver.ui.forms import Form
from skydriver.ui.protocols import PROTOCOLS, offered_protocols
from skydriver.ui.scan_form import read_labels, read_number

TYPE = "type-"
"""The prefix of the names of checkboxes, one for each fact."""
CHOOSES_TYPES = "chooses_types"
"""The field of forms that have those checkboxes; forms without it leave the default types."""
TYPES: Mapping[Fact, str] = {
    Fact.FIRST_RESULT: "first map",
    Fact.FINISHED: "finished",
    Fact.FAILED: "failed",
    Fact.ABORTED: "aborted",
    Fact.STALLED: "stalled",
    Fact.RESUMED: "resumed",
}
STATES: Mapping[SubscriptionState, tuple[str, str]] = {
    SubscriptionState.ACTIVE: ("good", "Notifications are sent."),
    SubscriptionState.PENDING: ("warn", "It waits: its receiver has not consented yet."),
    SubscriptionState.SUSPENDED: ("bad", "It is suspended: nothing is sent."),
}
DELIVERIES: Mapping[DeliveryState, tuple[str, str]] = {
    DeliveryState.DELIVERED: ("good", "delivered"),
    DeliveryState.DUE: ("warn", "to be sent"),
    DeliveryState.GIVEN_UP: ("bad", "given up"),
}
FILTERS: Mapping[str, str] = {
    "scan_id": "scan",
    "run_id": "run",
    "event_id": "event",
    "min_priority": "priority from",
    "submitted_by": "submitted by",
}
NUMBERS = ("run_id", "event_id", "min_priority")


@dataclass(frozen=True)
class Action:
    """An action of a user on a subscription.

    Attributes:
        name: in the path.
        title: on its button.
        effect: what will happen, in the question before it; empty if there is no question.
        done: what the page says afterwards.
    """

    name: str
    title: str
    effect: str
    done: str


ADD = "add"
ACTIONS = {
    action.name: action
    for action in (
        Action(
            ADD,
            "Subscribe",
            "",
            "The subscription was made. Its line below says if anything is still needed.",
        ),
        Action("test", "Test", "", ""),
        Action("renew", f"Renew for {MAX_DAYS} days", "", f"The subscription is good for {MAX_DAYS} days."),
        Action(
            "activate",
            "Activate",
            "",
            "The subscription was activated. If its receiver has to consent first, it was asked.",
        ),
        Action(
            "rotate",
            "New secret",
            "Deliveries are signed with a new secret at once, which is shown once. The old one is no longer "
            "valid.",
            "The subscription has a new secret.",
        ),
        Action(
            "remove",
            "Remove",
            "It sends nothing more, and its data are deleted.",
            "The subscription was removed.",
        ),
    )
}


def notice_of(done: str) -> str:
    """Return what an action has just done, by its name; empty for any other text."""
    return ACTIONS[done].done if done in ACTIONS else ""


def view(
    subscriptions: Sequence[Mapping[str, Any]],
    *,
    email: str | None,
    form: Mapping[str, Any] | None = None,
    notice: str = "",
    problem: str = "",
    secret: str | None = None,
) -> dict[str, Any]:
    """Describe the page for its template.

    Args:
        subscriptions: the user's own, as `rest.subscriptions.with_deliveries` shows them.
        email: the user's address, if it is verified.
        form: a result of `shown_form`; None for a new form.
        notice: what was just done.
        problem: why an action failed.
        secret: of a webhook, which is shown once.
    """
    return {
        "subscriptions": [_subscription(one) for one in subscriptions],
        "form": form or shown_form({}, email=email),
        "notice": notice,
        "problem": problem,
        "secret": secret,
    }


def _subscription(one: Mapping[str, Any]) -> dict[str, Any]:
    style, words = STATES[SubscriptionState(one["state"])]
    filters: Mapping[str, Any] = one["filters"]
    conditions = [f"{word} {filters[name]}" for name, word in FILTERS.items() if name in filters]
    conditions += [f"{name}={value}" for name, value in filters.get("classifiers", {}).items()]
    is_active = one["state"] == SubscriptionState.ACTIVE
    names = ["test" if is_active else "activate", "renew", "remove"]
    if one["protocol"] == Protocol.HTTP:
        names.insert(-1, "rotate")
    return {
        **{name: one[name] for name in ("subscription_id", "sink", "reason", "reason_code")},
        **{name: one[name] for name in ("created_at", "expires_at", "failing_since")},
        "protocol": PROTOCOLS[Protocol(one["protocol"])],
        "style": style,
        "words": words,
        "types": ", ".join(TYPES[Fact(fact)] for fact in one["types"]),
        "conditions": ", ".join(conditions) or "all scans",
        "actions": [
            {"name": name, "title": ACTIONS[name].title, "effect": ACTIONS[name].effect} for name in names
        ],
        "deliveries": [_delivery(delivery) for delivery in one["deliveries"]],
    }


def _delivery(one: Mapping[str, Any]) -> dict[str, Any]:
    style, words = DELIVERIES[DeliveryState(one["state"])]
    return {
        **{name: one[name] for name in ("scan_id", "created_at", "tries", "status", "reason")},
        "fact": one["type"].removeprefix("org.icecube.skydriver.scan.").removesuffix(".v1").replace("_", " "),
        "style": style,
        "words": words,
    }


def arguments_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Make the arguments of `POST /subscriptions` from the fields of a form.

    Raises:
        InvalidArguments: a field cannot be read.
    """
    filters: dict[str, Any] = {}
    for name in FILTERS:
        if text := fields.get(name, "").strip():
            filters[name] = read_number(text) if name in NUMBERS else text
    try:
        if labels := read_labels(fields.get("classifiers", "")):
            filters["classifiers"] = labels
    except ValueError as error:
        raise InvalidArguments({"classifiers": str(error)}) from None
    arguments: dict[str, Any] = {
        "protocol": fields.get("protocol", ""),
        "sink": fields.get("sink", "").strip(),
        "filters": filters,
    }
    if days := fields.get("expires_in_days", "").strip():
        arguments["expires_in_days"] = read_number(days)
    if fields.get(CHOOSES_TYPES):
        arguments["types"] = [fact for fact in NOTIFIED if fields.get(f"{TYPE}{fact}")]
    return arguments


def shown_form(
    fields: Mapping[str, str],
    *,
    email: str | None,
    problems: Mapping[str, str] | None = None,
    key: str = "",
) -> dict[str, Any]:
    """Describe the form for a template.

    Args:
        fields: the values of its fields.
        email: the user's address, which a new form contains where e-mail is sent.
        problems: errors, by the arguments' names.
        key: of the form, if it is shown again.
    """
    found = {
        name.removeprefix("filters.").partition(".")[0]: sentence
        for name, sentence in (problems or {}).items()
    }
    names = ("protocol", "sink", "types", *FILTERS, "classifiers", "expires_in_days")
    chosen = (
        {fact for fact in NOTIFIED if fields.get(f"{TYPE}{fact}")}
        if fields.get(CHOOSES_TYPES)
        else set(DEFAULT_TYPES)
    )
    protocols = offered_protocols()
    usual = protocols[0]["name"]
    default = {
        "protocol": usual,
        "sink": email or "" if usual == Protocol.EMAIL else "",
        "expires_in_days": str(MAX_DAYS),
    }
    return {
        "fields": {name: fields.get(name, default.get(name, "")) for name in names},
        "problems": {name: found.get(name, "") for name in names},
        "general": [
            f"{name}: {sentence}" if name else sentence
            for name, sentence in found.items()
            if name not in names
        ],
        "protocols": protocols,
        "types": [
            {"field": f"{TYPE}{fact}", "words": words, "is_chosen": fact in chosen}
            for fact, words in TYPES.items()
        ],
        "key": key,
    }


def refused_form(form: Form, error: SkyDriverError, *, email: str | None) -> dict[str, Any]:
    """Describe a form that was sent and refused: with its values and errors."""
    problems = error.problems if isinstance(error, InvalidArguments) else {"": str(error)}
    key = form.key if isinstance(error, TemporaryError) else ""
    return shown_form(form.fields, email=email, problems=problems, key=key)
