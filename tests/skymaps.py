"""Made-up results in the form that scanners send."""

from typing import Any


def bowl(*nsides: int) -> dict[str, Any]:
    """A bowl around the north pole: every pixel of the first nside, the polar ones of the others."""
    import healpy

    result = {}
    for nside in nsides:
        pixels = range(12 * nside * nside if nside == nsides[0] else 60)
        rows = []
        for pixel in pixels:
            theta, _ = healpy.pix2ang(nside, pixel)
            rows.append([pixel, 1000.0 + 400.0 * float(theta) ** 2, 2.0, 3.0])
        result[f"nside-{nside}"] = {
            "columns": ["index", "llh", "E_in", "E_tot"],
            "data": rows,
            "metadata": {
                "nside": nside,
                "complete": True,
                "run_id": 130033,
                "event_id": 50579430,
                "event_type": "EHE",
                "mjd": 58018.87118553241,
                "is_real_event": True,
            },
        }
    return result
