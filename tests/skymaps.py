"""Made-up results in the form that scanners send."""

from typing import Any

METADATA: dict[str, Any] = {
    "run_id": 130033,
    "event_id": 50579430,
    "event_type": "EHE",
    "mjd": 58018.87118553241,
    "is_real_event": True,
    "version": 1,
}


def bowl(*nsides: int, ra: float = 100.0, dec: float = 30.0, first: int | None = None) -> dict[str, Any]:
    """A bowl around a direction: every pixel of the first nside, those nearest to it of the others.

    Args:
        nsides: ascending.
        ra: in degrees.
        dec: in degrees.
        first: how many pixels the first nside has; default: all.
    """
    import healpy
    import numpy as np

    result = {}
    bottom = healpy.ang2vec(ra, dec, lonlat=True)
    for nside in nsides:
        vectors = np.array(healpy.pix2vec(nside, np.arange(12 * nside * nside)))
        distances = np.arccos(np.clip(bottom @ vectors, -1.0, 1.0))
        wanted = (first or 12 * nside * nside) if nside == nsides[0] else 60
        result[f"nside-{nside}"] = {
            "columns": ["index", "llh", "E_in", "E_tot", "X", "Y", "Z", "T"],
            "data": [
                [int(pixel), 1000.0 + 400.0 * float(distances[pixel]) ** 2, 2.0, 3.0, 1.0, 2.0, 3.0, 9000.0]
                for pixel in sorted(np.argsort(distances, kind="stable")[:wanted])
            ],
            "metadata": {"nside": nside, "complete": True, **METADATA},
        }
    return result
