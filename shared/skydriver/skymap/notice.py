"""A draft of the GCN notice that follows a scan: what a map says is filled in, the rest is named as missing.

The fields are those of GCN's schema `gcn/notices/icecube/single_neutrino_alerts` and of
gcn.nasa.gov/missions/icecube. That schema requires nothing and bounds little, so `Notice` is stricter. What
only people can know is never guessed, nothing is null, and nothing is sent anywhere.
"""

import math
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from skydriver.errors import Unprocessable
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.probability import Skymap
from skydriver.skymap.regions import ENOUGH_PIXELS, regions
from skydriver.skymap.sphere import degrees_of

SCHEMA = "https://gcn.nasa.gov/schema/main/gcn/notices/icecube/single_neutrino_alerts.schema.json"

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"


class Notice(BaseModel):
    """The fields of IceCube's second notice of an event, the one after a scan; absent until known."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: str = Field(alias="$schema", pattern=f"^{re.escape(SCHEMA)}$")
    mission: Literal["IceCube"]
    instrument: Literal["IC86"]
    messenger: Literal["Neutrino"]
    record_number: Literal[1]
    alert_type: Literal["update"]
    id: list[str] = Field(min_length=1, max_length=1)
    number_of_events: Literal[1]
    trigger_time: str = Field(pattern=_TIME)
    ra: float = Field(ge=0.0, lt=360.0, description="degrees, ICRS")
    dec: float = Field(ge=-90.0, le=90.0, description="degrees, ICRS")
    ra_dec_error: float = Field(gt=0.0, le=180.0, description="degrees")
    containment_probability: float = Field(ge=0.9, le=0.9)
    alert_tense: Literal["test"] | None = Field(default=None, description="only for simulated events")


class Missing(BaseModel):
    """A field that is to be filled in by people: why, and how."""

    field: str
    why: str
    hint: str


_MISSING = (
    Missing(
        field="pipeline",
        why="The scan does not know which selection found the event.",
        hint="Gold Track Alert, Bronze Track Alert or Cascade Alert, as in the first notice.",
    ),
    Missing(
        field="event_name",
        why="The letter depends on the day's other alerts.",
        hint='A list with IceCube-YYMMDD and a letter, such as ["IceCube-230416A"].',
    ),
    Missing(
        field="alert_datetime",
        why="It is the time at which the notice is sent.",
        hint="UTC, such as 2023-04-16T05:42:00.0Z.",
    ),
    Missing(
        field="alert_tense",
        why="A scan may be of today's event or of an old one.",
        hint="current, or archival (a rescan of an old event is not current).",
    ),
    Missing(
        field="alert_topology",
        why="The scan does not classify the event.",
        hint="Track, Shower or Multiplet.",
    ),
    Missing(
        field="systematic_included",
        why="Whether the region covers systematic errors is a statement of the collaboration.",
        hint="true or false.",
    ),
    Missing(
        field="healpix_url",
        why="The map is not public until it is published.",
        hint="The public address of the multi-order FITS file; leave it out rather than null.",
    ),
    Missing(
        field="nu_energy",
        why="The scan does not estimate the neutrino's energy.",
        hint="The most probable energy, in TeV, as in the first notice.",
    ),
    Missing(
        field="p_astro",
        why="The scan does not know the selection's signal probability.",
        hint="Between 0 and 1, as in the first notice.",
    ),
    Missing(
        field="far",
        why="The scan does not know the selection's false alarm rate.",
        hint="In Hz; circulars give it per year: divide by 3.156e7.",
    ),
)


def notice(skymap: Skymap, *, final: bool) -> dict[str, Any]:
    """Draft the notice.

    Its error is sqrt(mean RA error x cos(dec) x mean Dec error) of the 90 % region
    (gcn.nasa.gov/missions/icecube).

    Args:
        skymap: the map, with or without a floor.
        final: whether the result is final; that of a scan that failed or was aborted is partial.

    Returns:
        `notice` (the fields that are known), `missing` (the others: field, why, hint), and `warnings`
        (code, text).

    Raises:
        Unprocessable: the result is partial, the event has no time, run or number, or the 90 % region
            cannot be trusted.
    """
    event = skymap.event
    (region,) = regions(skymap, Definition.PROBABILITY, (Level.L90,))
    time = event.time()
    if not final:
        raise Unprocessable("There is no notice of a partial result: it is made of a final one only.")
    if time is None:
        raise Unprocessable("This event has no time (its mjd is not known), so there is no notice of it.")
    if event.run_id is None or event.event_id is None:
        raise Unprocessable("This event has no run or number, so there is no notice of it.")
    if region.clipped:
        raise Unprocessable(
            "The 90 % region touches sky that was not scanned, so its error is not known. "
            "Scan more of the sky."
        )
    if region.touches_coarser:
        raise Unprocessable(
            "The 90 % region touches coarser pixels, so its error is not known. "
            "Scan with a larger extension of the finest nside."
        )
    errors = (region.ra_err_plus, region.ra_err_minus, region.dec_err_plus, region.dec_err_minus)
    if region.single_cell or any(error is None for error in errors):
        raise Unprocessable(
            "The 90 % region is less than one pixel or over half of the sky, so its error is not known."
        )
    ra, dec = (float(angle) for angle in degrees_of(skymap.centres[skymap.best]))
    ra_plus, ra_minus, dec_plus, dec_minus = (error for error in errors if error is not None)
    across, up = (ra_plus + ra_minus) / 2.0 * math.cos(math.radians(dec)), (dec_plus + dec_minus) / 2.0
    fields = {
        "$schema": SCHEMA,
        "mission": "IceCube",
        "instrument": "IC86",
        "messenger": "Neutrino",
        "record_number": 1,
        "alert_type": "update",
        "id": [f"{event.run_id}_{event.event_id}"],
        "number_of_events": 1,
        "trigger_time": f"{time}Z",
        "ra": round(ra, 4) % 360.0,
        "dec": round(dec, 4),
        "ra_dec_error": round(math.sqrt(across * up), 4),
        "containment_probability": 0.9,
        "alert_tense": "test" if event.is_real_event is False else None,
    }
    known = Notice.model_validate(fields).model_dump(by_alias=True, exclude_none=True)
    warnings = []
    if region.pixels < ENOUGH_PIXELS:
        count = f"{region.pixels} pixels, fewer than {ENOUGH_PIXELS}"
        text = f"The 90 % region has only {count}: its error is rough."
        warnings.append({"code": "few_pixels", "text": text})
    return {
        "notice": known,
        "missing": [field.model_dump() for field in _MISSING if field.field not in known],
        "warnings": warnings,
    }
