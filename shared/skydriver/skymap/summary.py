"""The numbers of a map, as plain JSON: degrees and square degrees, ICRS."""

from typing import Any

import numpy as np

from skydriver.skymap.contours import Ring
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.probability import NEVER, Skymap
from skydriver.skymap.regions import ENOUGH_PIXELS, Region, regions
from skydriver.skymap.smoothing import smoothed
from skydriver.skymap.sphere import (
    ICRS_TO_GALACTIC,
    SQUARE_DEGREES,
    Floats,
    cell_area,
    centres,
    degrees_of,
    neighbours,
)


def summary(plain: Skymap, *, floor_deg: float = 0.0, final: bool) -> dict[str, Any]:
    """What a map says.

    Args:
        plain: the map, without a floor.
        floor_deg: sigma (degrees) of the Gaussian for the regions of probability; those of the likelihood
            have none.
        final: whether the result is final; that of a scan that failed or was aborted is partial.

    Returns:
        `event`; `final`; `best_fit`; `coarser_minimum` (a coarser pixel whose llh is lower than that of its
        finer ones, else None); `nsides`; `llh`; `scanned_fraction` of the sky; `definitions` (best fit and
        regions of each); `resolved` and `clipped` (the 90 % region of probability); `notes`, each with a
        code for programs and a text for people.
    """
    spread = smoothed(plain, floor_deg) if floor_deg else plain
    maps = {Definition.PROBABILITY: spread, Definition.WILKS: plain}
    found = {definition: regions(skymap, definition) for definition, skymap in maps.items()}
    most = next(region for region in found[Definition.PROBABILITY] if region.level is Level.L90)
    event = plain.event
    known = [level.llh[level.finite] for level in plain.levels if level.finite.any()]
    return {
        "event": {
            "run_id": event.run_id,
            "event_id": event.event_id,
            "event_type": event.event_type,
            "mjd": event.mjd,
            "time_utc": event.time(),
            "is_real_event": event.is_real_event,
        },
        "final": final,
        "best_fit": best_fit(spread),
        "coarser_minimum": _coarser_minimum(plain),
        "nsides": {
            str(level.nside): {
                "pixels": int(level.nest.size),
                "without_likelihood": int(np.count_nonzero(~level.finite)),
            }
            for level in plain.levels
        },
        "llh": {"min": min(float(llh.min()) for llh in known), "max": max(float(llh.max()) for llh in known)},
        "scanned_fraction": round(float(plain.area[plain.scanned != NEVER].sum()) / (4.0 * np.pi), 9),
        "definitions": {
            str(definition): {
                "floor_deg": maps[definition].floor_deg,
                "best_fit": best_fit(maps[definition]),
                "regions": [facts(maps[definition], region) for region in found[definition]],
            }
            for definition in maps
        },
        "resolved": most.resolved,
        "clipped": most.clipped,
        "notes": _notes(plain, found, final=final),
    }


def best_fit(skymap: Skymap) -> dict[str, Any]:
    """The centre of the densest cell, in ICRS and galactic coordinates (degrees)."""
    vector = skymap.centres[skymap.best]
    ra, dec = degrees_of(vector)
    longitude, latitude = degrees_of(ICRS_TO_GALACTIC @ vector)
    return {
        "ra": _rounded(ra),
        "dec": _rounded(dec),
        "l": _rounded(longitude),
        "b": _rounded(latitude),
        "nside": 1 << int(skymap.order[skymap.best]),
    }


def facts(skymap: Skymap, region: Region) -> dict[str, Any]:
    """The numbers of a region (`Region` says what they mean)."""
    return {
        "level": region.level,
        "threshold": region.threshold,
        "definition": region.definition,
        "floor_deg": skymap.floor_deg,
        "area_deg2": _rounded(region.area_deg2),
        "contour_area_deg2": _rounded(region.contour_area_deg2),
        "moc_area_deg2": _rounded(region.moc_area_deg2),
        "pixels": region.pixels,
        "ra_err_plus": _rounded(region.ra_err_plus),
        "ra_err_minus": _rounded(region.ra_err_minus),
        "dec_err_plus": _rounded(region.dec_err_plus),
        "dec_err_minus": _rounded(region.dec_err_minus),
        "contains_pole": region.contains_pole,
        "pieces": len(region.pieces),
        "less_than_a_pixel": region.single_cell,
        "touches_coarser": region.touches_coarser,
        "resolved": region.resolved,
        "clipped": region.clipped,
    }


def contours(skymap: Skymap, definition: Definition = Definition.PROBABILITY) -> dict[str, Any]:
    """The lines of all regions of a definition.

    Args:
        skymap: the map; with a floor only for `probability`.
        definition: what regions are.

    Returns:
        `best_fit`, and `regions`: the numbers of each with `rings`: for each piece, largest first, its
        `outer` ring and its `holes`. A ring is a list of [ra, dec] (degrees, ICRS), the first of which
        is also the last; seen from inside, outer rings run clockwise (north up, east left).

    Raises:
        InvalidArguments: the definition knows no floor.
    """
    return {
        "definition": definition,
        "floor_deg": skymap.floor_deg,
        "frame": "ICRS",
        "unit": "deg",
        "best_fit": best_fit(skymap),
        "regions": [
            facts(skymap, region)
            | {
                "rings": [
                    {"outer": _path(piece.outer), "holes": [_path(hole) for hole in piece.holes]}
                    for piece in region.pieces
                ]
            }
            for region in regions(skymap, definition)
        ],
    }


def _path(ring: Ring) -> list[list[float]]:
    ra, dec = degrees_of(ring.vectors)
    path: list[list[float]] = np.round(np.stack((ra, dec), axis=-1), 6).tolist()
    return path


def _rounded(number: Floats | float | None) -> float | None:
    return None if number is None else round(float(number), 6)


def _coarser_minimum(skymap: Skymap) -> dict[str, Any] | None:
    """The coarser pixel with the least llh, if that is less than the least of the cells."""
    least = np.nanmin(skymap.llh)
    lower = [
        (float(np.nanmin(level.llh)), level)
        for level in skymap.levels[:-1]
        if level.finite.any() and np.nanmin(level.llh) < least
    ]
    if not lower:
        return None
    llh, level = min(lower, key=lambda pair: pair[0])
    nest = level.nest[int(np.nanargmin(level.llh))]
    ra, dec = degrees_of(centres(np.array([level.order]), np.array([nest])))
    return {
        "nside": level.nside,
        "ra": _rounded(ra[0]),
        "dec": _rounded(dec[0]),
        "llh": llh,
        "lower_by": _rounded(float(least) - llh),
    }


def _notes(plain: Skymap, found: dict[Definition, list[Region]], *, final: bool) -> list[dict[str, str]]:
    """What is to be kept in mind with these numbers."""
    notes = []
    if not final:
        # This is true of a scan that goes on, and of one that failed or was aborted.
        notes.append(("partial", "This result is partial: the scan had not finished when it came."))
    if plain.event.is_real_event is False:
        notes.append(("simulated", "This is a simulated event."))
    if _unknown_beside_best(plain):
        text = "A pixel next to the best fit has no likelihood: the best fit may lie there."
        notes.append(("no_likelihood_at_best_fit", text))
    pixel = float(cell_area(plain.finest)) * SQUARE_DEGREES
    for definition, of_definition in found.items():
        for region in of_definition:
            name = f"The {title(region.level)} region ({definition})"
            if region.single_cell:
                size = f"{float(plain.area[plain.best]) * SQUARE_DEGREES:.3g}"
                notes.append(("less_than_a_pixel", f"{name} is less than one pixel ({size} square degrees)."))
            elif not region.pieces:
                notes.append(("no_contour", f"{name} is so wide that no line is drawn around it."))
            if region.level is not Level.L90:
                continue
            if region.touches_coarser:
                text = "has or touches coarser pixels: what is finer there was not scanned."
                notes.append(("touches_coarser", f"{name} {text}"))
            if region.clipped:
                notes.append(("clipped", f"{name} touches sky that was not scanned: it may be larger."))
            if region.pixels < ENOUGH_PIXELS and not region.single_cell:
                text = f"has {region.pixels} pixels of {pixel:.3g} square degrees, fewer than {ENOUGH_PIXELS}"
                notes.append(("few_pixels", f"{name} {text}: its numbers are rough."))
    return [{"code": code, "text": text} for code, text in notes]


def title(level: Level) -> str:
    """How a level is written for people."""
    return "3 sigma" if level is Level.L3SIGMA else f"{level} %"


def _unknown_beside_best(skymap: Skymap) -> bool:
    """Whether a pixel without likelihood is the best fit or next to it."""
    finest = skymap.levels[-1]
    unknown = finest.nest[~finest.finite]
    best = skymap.best
    if not unknown.size or skymap.order[best] != finest.order:
        return False
    return bool(np.isin(neighbours(skymap.order[[best]], skymap.nest[[best]]), unknown).any())
