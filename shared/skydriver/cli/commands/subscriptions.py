"""`subscribe` and `subscriptions`: notifications of scans."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from skydriver.cli.arguments import read_labels
from skydriver.cli.context import JsonOption, connect
from skydriver.cli.errors import CommandError, WrongUsage
from skydriver.cli.screen import clean, labelled, print_json, say, when
from skydriver.cli.secrets import keep_secret
from skydriver.cli.tables import Column, moment, scan_id, show

MAX_DAYS = 90
Days = Annotated[
    int, typer.Option(metavar="N", min=1, max=MAX_DAYS, help="Days from now that it is good for.")
]
SubscriptionId = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id, or its beginning.")]


def _conditions(one: Mapping[str, Any]) -> str:
    filters = dict(one.get("filters") or {})
    labels = filters.pop("classifiers", {})
    return ",".join(f"{name}={value}" for name, value in {**filters, **labels}.items()) or "all"


def _facts(one: Mapping[str, Any]) -> str:
    return ",".join(str(fact).removeprefix("scan.") for fact in one.get("types") or ())


LISTED = (
    Column("subscription", lambda s: scan_id(s.get("subscription_id"))),
    Column("protocol", lambda s: s.get("protocol")),
    Column("sink", lambda s: s.get("sink")),
    Column("state", lambda s: s.get("state")),
    Column("expires", lambda s: _day(s.get("expires_at")), rank=1),
    Column("types", _facts, rank=3),
    Column("filters", _conditions, rank=2),
    Column("owner", lambda s: s.get("owner"), rank=4),
)
DELIVERED = (
    Column("of", lambda d: moment(d.get("created_at"))),
    Column(
        "fact", lambda d: str(d.get("type") or "").removeprefix("org.icecube.skydriver.").removesuffix(".v1")
    ),
    Column("scan", lambda d: scan_id(d.get("scan_id"))),
    Column("state", lambda d: d.get("state")),
    Column("tries", lambda d: d.get("tries"), rank=2),
    Column("status", lambda d: d.get("status"), rank=1),
    Column("reason", lambda d: d.get("reason")),
)


def _day(epoch_seconds: object) -> str:
    """Format a future time as its day."""
    if not isinstance(epoch_seconds, int | float):
        return "-"
    return f"{datetime.fromtimestamp(epoch_seconds, UTC):%Y-%m-%d}"


def _address(text: str) -> str:
    """Return the address of a webhook, from standard input for `-`; it is masked in all later output.

    Raises:
        WrongUsage: standard input is empty.
    """
    if text == "-":
        is_typed = sys.stdin.isatty()
        line = typer.prompt("Address", hide_input=True, err=True) if is_typed else sys.stdin.readline()
        text = str(line).strip()
        if not text:
            raise WrongUsage("the address is to come from standard input, which is empty")
    return keep_secret(text)


def subscribe(
    ctx: typer.Context,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="URL",
            help="A webhook, which gets CloudEvents; - reads the address from standard input.",
        ),
    ] = None,
    slack: Annotated[
        str | None,
        typer.Option(
            "--slack",
            metavar="URL",
            help="An incoming webhook of Slack; - reads the address from standard input.",
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="An e-mail address.")
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="FACT",
            help="first_result, finished, failed, aborted, stalled or resumed; repeatable. Default: the "
            "first four.",
            autocompletion=lambda: ["first_result", "finished", "failed", "aborted", "stalled", "resumed"],
        ),
    ] = None,
    scan: Annotated[str | None, typer.Option(metavar="ID", help="Of this scan only.")] = None,
    run: Annotated[int | None, typer.Option(help="Of scans of events of this run.")] = None,
    event: Annotated[int | None, typer.Option(help="Of scans of the event of this number.")] = None,
    min_priority: Annotated[
        int | None, typer.Option(metavar="N", help="Of scans of this priority, or a higher one.")
    ] = None,
    submitted_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of scans that this user has submitted.")
    ] = None,
    classifier: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Of scans with this classifier; repeatable.")
    ] = None,
    days: Days = MAX_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Get notifications when scans have a first map and when they end: by a webhook, Slack or e-mail.

    Without filters, all scans are notified; with several, the scans that match all of them. The secret that
    signs deliveries to a webhook is printed only once, by this command.

    Addresses of webhooks often contain a secret. With - the address does not show in the list of processes
    and in the history of the shell: it is one line of standard input, or typed without an echo.
    """
    sinks = {"HTTP": http, "SLACK": slack, "EMAIL": email}
    given = [(protocol, sink) for protocol, sink in sinks.items() if sink is not None]
    if len(given) != 1:
        raise WrongUsage("give one of --http, --slack and --email")
    [(protocol, text)] = given
    sink = text if protocol == "EMAIL" else _address(text)
    with connect(ctx) as client:
        filters = {
            "scan_id": None if scan is None else client.whole_id(scan),
            "run_id": run,
            "event_id": event,
            "min_priority": min_priority,
            "submitted_by": submitted_by,
            "classifiers": read_labels(classifier or (), "--classifier") or None,
        }
        request: dict[str, object] = {
            "protocol": protocol,
            "sink": sink,
            "filters": {name: value for name, value in filters.items() if value is not None},
            "expires_in_days": days,
        }
        if types:
            request["types"] = types
        made = client.subscribe(request, key=uuid4().hex)
    if as_json:
        print_json(made)
        return
    _print(made)
    if made.get("secret"):
        say("Keep the secret: it is not shown again.")


def list_(
    ctx: typer.Context,
    everyone: Annotated[bool, typer.Option("--all", help="Those of all users, for operators.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List your subscriptions, the oldest first.

    Columns are subscription, protocol, sink (masked), state, expires, types, filters and owner.
    """
    with connect(ctx) as client:
        found = client.subscriptions(everyone=everyone)
    if as_json:
        print_json({"subscriptions": found})
        return
    show(LISTED, found)
    say(f"{len(found)} subscription{'' if len(found) == 1 else 's'}", style="dim")


def show_(ctx: typer.Context, subscription: SubscriptionId, as_json: JsonOption = False) -> None:
    """Show a subscription, the reason of its state, and its latest deliveries."""
    with connect(ctx) as client:
        found = client.subscription(client.whole_subscription_id(subscription))
    if as_json:
        print_json(found)
        return
    _print(found)
    show(DELIVERED, found["deliveries"], title="the latest deliveries")


def remove(ctx: typer.Context, subscription: SubscriptionId, as_json: JsonOption = False) -> None:
    """Remove a subscription, which ends its notifications."""
    with connect(ctx) as client:
        whole = client.whole_subscription_id(subscription)
        answer = client.remove_subscription(whole)
    if as_json:
        print_json(answer)
    else:
        say(f"Subscription {whole} is removed.")


def test(ctx: typer.Context, subscription: SubscriptionId, as_json: JsonOption = False) -> None:
    """Send a test to a subscription's receiver, and print its answer."""
    with connect(ctx) as client:
        tried = client.try_subscription(client.whole_subscription_id(subscription))
    if as_json:
        print_json(tried)
    if not tried.get("is_delivered"):
        raise CommandError(f"The receiver did not accept the test: {clean(tried.get('reason'))}.")
    if not as_json:
        status = tried.get("status")
        say("The receiver accepted the test" + (f" ({status})." if status else "."))


def renew(
    ctx: typer.Context, subscription: SubscriptionId, days: Days = MAX_DAYS, as_json: JsonOption = False
) -> None:
    """Renew a subscription before it expires."""
    _change(ctx, subscription, {"expires_in_days": days}, as_json)


def activate(ctx: typer.Context, subscription: SubscriptionId, as_json: JsonOption = False) -> None:
    """Activate a suspended subscription; its receiver is asked for its consent again where that is needed."""
    _change(ctx, subscription, {"state": "ACTIVE"}, as_json)


def rotate(ctx: typer.Context, subscription: SubscriptionId, as_json: JsonOption = False) -> None:
    """Make a new secret for a webhook, which signs deliveries at once; the old one is no longer valid."""
    with connect(ctx) as client:
        made = client.rotate_subscription(client.whole_subscription_id(subscription))
    if as_json:
        print_json(made)
        return
    _print(made)
    say("Keep the secret: it is not shown again.")


def _change(ctx: typer.Context, subscription: str, changes: Mapping[str, object], as_json: bool) -> None:
    with connect(ctx) as client:
        changed = client.change_subscription(client.whole_subscription_id(subscription), changes)
    if as_json:
        print_json(changed)
    else:
        _print(changed)


def _print(one: Mapping[str, Any]) -> None:
    lines = {
        "id": one.get("subscription_id"),
        "to": f"{one.get('protocol')} {one.get('sink')}",
        "of": f"{_facts(one)}; scans: {_conditions(one)}",
        "state": one.get("state"),
        "reason": one.get("reason"),
        "expires": when(one.get("expires_at")),
        "failing": when(one.get("failing_since")) if one.get("failing_since") else None,
        "secret": one.get("secret"),
    }
    for name, value in lines.items():
        if value:
            labelled(name, str(value))
