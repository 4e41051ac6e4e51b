"""Regions as multi-order coverage maps (IVOA's MOC): the cells that are in them."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from skydriver.skymap.probability import Skymap
from skydriver.skymap.regions import Region

if TYPE_CHECKING:
    from mocpy import MOC


def moc_json(skymap: Skymap, region: Region) -> dict[str, Any]:
    """A region's cells.

    Args:
        skymap: the map.
        region: of this map.

    Returns:
        What the region is, and `moc`: order -> NESTED indices (the MOC recommendation's JSON).
    """
    return {
        "definition": region.definition,
        "level": region.level,
        "floor_deg": skymap.floor_deg,
        "moc_area_deg2": round(region.moc_area_deg2, 6),
        "moc": _moc(skymap, region).serialize("json"),
    }


def moc_fits(skymap: Skymap, region: Region) -> bytes:
    """A region's cells as a FITS file (MOC 2.0, ranges), which names its definition, level and floor.

    Args:
        skymap: the map.
        region: of this map.
    """
    file = _moc(skymap, region).serialize("fits")
    header = file[1].header
    header["DEFINITN"] = (str(region.definition), "Definition of the region")
    header["LEVEL"] = (str(region.level), "How much it is to hold (percent)")
    header["ANGFLOOR"] = (skymap.floor_deg, "Gaussian floor, sigma (Degree); 0 for none")
    written = io.BytesIO()
    file.writeto(written)
    return written.getvalue()


def _moc(skymap: Skymap, region: Region) -> "MOC":
    from mocpy import MOC

    return MOC.from_healpix_cells(
        skymap.nest[region.cells].astype(np.uint64),
        skymap.order[region.cells].astype(np.uint8),
        max_depth=skymap.depth,
    )
