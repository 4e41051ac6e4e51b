"""Arguments of `POST /scan`, and what is wrong with them."""

from typing import Any

import pytest

from skydriver.errors import InvalidArguments
from skydriver.model.submission import (
    ScanArguments,
)
from skydriver.rest.arguments import validate

EVENT: dict[str, Any] = {"value": {"data": {"run_id": 130033, "event_id": 50579430}}}
REQUIRED: dict[str, Any] = {
    "docker_tag": "latest",
    "cluster": {"sub-2": 1234},
    "reco_algo": "millipede_wilks",
    "event_i3live_json": EVENT,
    "nsides": {"8": 0, "64": 12, "512": 24},
    "real_or_simulated_event": "real",
    "max_pixel_reco_time": 600,
}


def scan_arguments(**changed: Any) -> ScanArguments:
    """Validate arguments that are good but for what is changed."""
    return validate(ScanArguments, {**REQUIRED, **changed})


def problems(**changed: Any) -> dict[str, str]:
    """Validate arguments that are refused; what is wrong with them, by name."""
    with pytest.raises(InvalidArguments) as caught:
        scan_arguments(**changed)
    return caught.value.problems


def named(found: dict[str, str]) -> set[str]:
    """The arguments that problems are about; a problem within one is named `argument.part`."""
    return {name.partition(".")[0] for name in found}
