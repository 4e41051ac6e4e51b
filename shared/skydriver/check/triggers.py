"""Checks that Triggers get what they ask for: scanners' reports are announced only if a setting says so."""

from collections.abc import Iterable, Mapping
from typing import Any

from skydriver.check.finding import Missing
from skydriver.errors import NotAllowed
from skydriver.eventing.events import event_type
from skydriver.kube.client import Kubernetes, in_cluster
from skydriver.model.transitions import REPORTS, Fact
from skydriver.settings import settings


async def check_triggers() -> str:
    """Check the Triggers of this namespace.

    Raises:
        Missing: a Trigger asks for reports that are not announced.
    """
    if settings().scanner_backend != "kubernetes":
        return "not looked at: this is no cluster"
    try:
        triggers = await Kubernetes(in_cluster, settings().k8s_namespace).find("Trigger", {})
    except NotAllowed:
        return "not looked at: the account of this function may not list them (that of sweep may)"
    unheard = {
        fact: names
        for fact in REPORTS
        if fact not in settings().announced
        and (names := [one["metadata"]["name"] for one in triggers if asks_for(one["spec"], fact)])
    }
    if unheard:
        asked = "; ".join(f"{', '.join(sorted(names))} for {fact}" for fact, names in unheard.items())
        raise Missing(
            f"Triggers ask for reports that are not announced ({asked}): name these in ANNOUNCED_REPORTS, or"
            " remove the Triggers"
        )
    return f"{len(triggers)} in namespace '{settings().k8s_namespace}' ask for what is announced"


def asks_for(spec: Mapping[str, Any], report: Fact) -> bool:
    """Say whether a Trigger asks for reports: one of its filters passes this type and no other fact's.

    A Trigger for all events, or for all events of scans, does not ask for reports in particular.

    Args:
        spec: of the Trigger; its filters are of Knative's dialects, old and new.
        report: the fact of the reports.
    """
    old = spec.get("filter", {}).get("attributes", {})
    return _names([*spec.get("filters", []), {"exact": old}], report)


def _names(filters: Iterable[Mapping[str, Any]], report: Fact) -> bool:
    return any(_one_names(dialect, argument, report) for one in filters for dialect, argument in one.items())


def _one_names(dialect: str, argument: Any, report: Fact) -> bool:
    match dialect:
        case "exact":
            return bool(argument.get("type") == event_type(report))
        case "prefix" | "suffix" if "type" in argument:
            holds = str.startswith if dialect == "prefix" else str.endswith
            matched = {fact for fact in Fact if holds(event_type(fact), argument["type"])}
            return report in matched and matched <= set(REPORTS)
        case "any" | "all":
            return _names(argument, report)
        case "cesql":
            return event_type(report) in argument
    return False
