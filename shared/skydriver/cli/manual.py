"""What `--help` and docs/command-line.md say beside a command's options: group, examples, exit codes."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

from skydriver.cli.errors import OUR_FAULT

SCANS = "Scans"
NOTIFICATIONS = "Notifications"
RESULTS = "Results and skymaps"
SERVICE = "A service"
EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "the service has refused, or the work has failed: the message says why",
    2: "wrong usage; nothing was sent",
    3: "no service answers, or none is known",
    OUR_FAULT: "a fault of this program; the message names the file with its traceback",
    130: "ended by Ctrl-C",
}
"""What a command's end says to programs."""
_FOLLOWING = {
    0: "all scans have finished successfully",
    1: "a scan has failed or was aborted, or the service has refused",
    130: "ended by Ctrl-C; the scans go on",
}
_ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"


@dataclass(frozen=True)
class Entry:
    """What the manual says of a command.

    Attributes:
        group: of the commands that it is listed with.
        examples: command lines, each with what it does.
        exit_codes: where they say more than `EXIT_CODES`.
    """

    group: str
    examples: Mapping[str, str]
    exit_codes: Mapping[int, str] = field(default_factory=dict)


MANUAL: Mapping[str, Entry] = {
    "scan": Entry(
        SCANS,
        {
            'skydriver scan examples/IC170922A.json --nsides "8:0 64:12"': "a small scan, to its end",
            "skydriver scan EVENT1.json EVENT2.json --cluster sub-2=500 --classifier campaign=july": (
                "two scans with workers on sub-2"
            ),
            "ID=$(skydriver scan EVENT.json --no-follow)": "for a script: submit, and keep the id",
        },
        _FOLLOWING,
    ),
    "rescan": Entry(
        SCANS,
        {
            f"skydriver rescan {_ID} --reco-algo splinempe": "the same event by another algorithm",
            "skydriver rescan 5d2e7f0a --abort-first --replace": "once more, in place of the earlier one",
        },
        _FOLLOWING,
    ),
    "follow": Entry(
        SCANS,
        {
            "skydriver follow 5d2e7f0a 77aa01c3": "two scans together",
            "skydriver follow $(skydriver find --mine --columns scan)": "all scans of yours",
        },
        _FOLLOWING,
    ),
    "status": Entry(
        SCANS,
        {
            "skydriver status 5d2e7f0a": "where it stands, and why it is not done",
            f"skydriver status {_ID} --json --pods": "for programs, with the pods of its scanner server",
        },
    ),
    "workers add": Entry(
        SCANS, {"skydriver workers add 5d2e7f0a sub-2=500": "500 more workers on the cluster sub-2"}
    ),
    "stop": Entry(
        SCANS,
        {
            "skydriver stop 5d2e7f0a": "abort it",
            "skydriver stop 5d2e7f0a --delete-completed": "hide a completed one",
        },
    ),
    "find": Entry(
        SCANS,
        {
            "skydriver find --run 130033 --event 50579430": "all scans of an event",
            "skydriver find --mine --columns scan,state,reason": "yours, and why they are as they are",
            'skydriver find --filter \'{"priority": {"$gte": 100}}\' | awk \'$7 == "failed" {print $1}\'': (
                "the ids of alerts that have failed"
            ),
        },
    ),
    "backlog": Entry(SCANS, {"skydriver backlog": "what waits, and why"}),
    "history": Entry(SCANS, {"skydriver history 5d2e7f0a": "what happened to it, and when"}),
    "logs": Entry(SCANS, {"skydriver logs 5d2e7f0a": "links to its logs"}),
    "request": Entry(SCANS, {"skydriver request 5d2e7f0a": "what was asked for"}),
    "event": Entry(
        SCANS,
        {
            "skydriver event 5d2e7f0a -o EVENT.json": "keep its event in a file",
            "skydriver event 5d2e7f0a | jq .value": "or pass it on",
        },
    ),
    "subscribe": Entry(
        NOTIFICATIONS,
        {
            "skydriver subscribe --email jane@icecube.wisc.edu --scan 5d2e7f0a": (
                "when a scan has a map, and when it ends"
            ),
            "skydriver subscribe --http https://example.org/hook --min-priority 100 --type first_result": (
                "the first maps of alerts, to a webhook"
            ),
            "skydriver subscribe --slack -": "to Slack; asks for the address, which is a secret",
        },
    ),
    "subscriptions list": Entry(
        NOTIFICATIONS, {"skydriver subscriptions list": "your subscriptions, and their states"}
    ),
    "subscriptions show": Entry(
        NOTIFICATIONS,
        {"skydriver subscriptions show 9f0c2b7d": "the reason of its state, and its latest deliveries"},
    ),
    "subscriptions test": Entry(
        NOTIFICATIONS,
        {"skydriver subscriptions test 9f0c2b7d": "send a test"},
        {1: "the receiver did not accept the test, or the service refused the command"},
    ),
    "subscriptions renew": Entry(
        NOTIFICATIONS,
        {"skydriver subscriptions renew 9f0c2b7d --days 30": "it expires 30 days from now"},
    ),
    "subscriptions activate": Entry(
        NOTIFICATIONS, {"skydriver subscriptions activate 9f0c2b7d": "after a suspension"}
    ),
    "subscriptions rotate": Entry(
        NOTIFICATIONS, {"skydriver subscriptions rotate 9f0c2b7d": "a new secret of a webhook"}
    ),
    "subscriptions remove": Entry(
        NOTIFICATIONS, {"skydriver subscriptions remove 9f0c2b7d": "end its notifications"}
    ),
    "result": Entry(
        RESULTS, {"skydriver result 5d2e7f0a -o result.json": "keep its final result, as skyreader reads it"}
    ),
    "summary": Entry(
        RESULTS,
        {
            "skydriver summary 5d2e7f0a": "best fit, errors and areas",
            "skydriver summary result.json --json": "the same of a file, for programs",
        },
    ),
    "plot": Entry(
        RESULTS,
        {
            "skydriver plot 5d2e7f0a": "the full sky and the best fit's surroundings, as PNG files",
            "skydriver plot 5d2e7f0a --view zoom --format pdf -o plots": "one picture, as PDF, in plots/",
            "skydriver plot 5d2e7f0a --with 77aa01c3": "with the contours of a second scan",
        },
    ),
    "fits": Entry(
        RESULTS,
        {
            "skydriver fits 5d2e7f0a": "the multi-order map",
            "skydriver fits 5d2e7f0a --nside 512 --ordering ring": "a flat map",
        },
    ),
    "contours": Entry(
        RESULTS, {"skydriver contours 5d2e7f0a --definition wilks": "lines around the regions, as JSON"}
    ),
    "moc": Entry(
        RESULTS, {"skydriver moc 5d2e7f0a --level 90 --format fits": "the cells of the 90 % region"}
    ),
    "notice": Entry(
        RESULTS,
        {"skydriver notice 5d2e7f0a > draft.json": "keep the draft; what is missing is on the screen"},
    ),
    "up": Entry(
        SERVICE,
        {
            "skydriver up": "run the service until Ctrl-C",
            "skydriver up --data /tmp/sky --port 8080": "with its data there, on that port",
            "skydriver up --example": "with a scan of the example event to look at",
        },
        {130: "ended by Ctrl-C while it was starting"},
    ),
    "open": Entry(
        SERVICE,
        {
            "skydriver open": "what is going on, in a browser",
            "skydriver open 5d2e7f0a": "the page of a scan",
        },
    ),
    "demo": Entry(SERVICE, {"skydriver demo --out demo": "scan the example event, and draw its skymap"}),
    "login": Entry(
        SERVICE, {"skydriver --url https://skydriver.example.org login": "approve a code in a browser"}
    ),
    "check": Entry(
        SERVICE,
        {"skydriver --url https://skydriver.example.org check": "say what is missing from an installation"},
        {1: "something is missing"},
    ),
    "import": Entry(
        SERVICE,
        {
            "skydriver import --from mongodb://HOST:PORT --to mongodb://HOST:PORT/DATABASE --dry-run": (
                "say what would happen"
            )
        },
        {1: "it has failed, or --verify has found a difference"},
    ),
    "export": Entry(
        SERVICE, {"skydriver export --out dump --to mongodb://HOST:PORT/DATABASE": "files for mongoimport"}
    ),
}
"""Every command, in the order of the manual."""


def exit_codes(name: str) -> dict[int, str]:
    """Say what a command's exit codes mean."""
    return {**EXIT_CODES, **MANUAL[name].exit_codes}


def epilog(name: str) -> str:
    """Write what `--help` says of a command at its end, in rich's markup: examples and exit codes."""
    lines = ["[bold]Examples[/bold]"]
    for command, words in MANUAL[name].examples.items():
        lines += [f"[cyan]{_plain(command)}[/cyan]", f"   {_plain(words)}"]
    lines += ["", "[bold]Exit codes[/bold]"]
    lines += [f"{code:>3}  {_plain(words)}" for code, words in exit_codes(name).items() if code < OUR_FAULT]
    return "\n".join(lines)


def flowing(docstring: str) -> str:
    """Take the line breaks within a docstring's paragraphs out: a terminal has widths of many kinds."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return _plain("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
