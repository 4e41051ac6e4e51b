"""Makes a skymap's products, and says what each took: `python -m tests.bench.drawing WHO SIZE`.

WHO is `ours` or `skyreader`, SIZE one of `SIZES`. Imports are not counted: everything is made once before.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import healpix
import numpy as np

from tests.bench.figures import peak
from tests.support.skymaps import Scan, add, as_result, bowl, fisher, scanned, vector


def usual() -> Scan:
    """The pixels of the scanner's default nsides: 768, 768 and 1,536, about."""
    return scanned(fisher(77.4, 5.7, 0.6))


def large() -> Scan:
    """12,288 pixels of nside 32, and about 3,100 and 12,300 finer ones."""
    return scanned(fisher(77.4, 5.7, 0.6), ((32, 0), (128, 192), (512, 768)))


def pointed() -> Scan:
    """A part of the sky only: 46 pixels of nside 64, 896 of nside 512."""
    scan: Scan = {}
    for nside, count in ((64, 46), (512, 896)):
        vectors = np.stack(healpix.pix2vec(nside, np.arange(12 * nside**2)), axis=-1)
        nearest = np.argsort(-(vectors @ vector(77.4, 5.7)))[:count]
        add(scan, fisher(77.4, 5.7, 0.3), nside, np.sort(nearest))
    return scan


SIZES: dict[str, Callable[[], Scan]] = {"usual": usual, "large": large, "pointed": pointed}


def by_us(result: dict[str, Any]) -> dict[str, float]:
    """Processor seconds of each product."""
    from skydriver.skymap.options import Options, Product, View
    from skydriver.skymap.products import Source, made

    content = json.dumps(result).encode()
    asked = {
        "summary": (Product.SUMMARY, Options()),
        "summary, floor 0.2": (Product.SUMMARY, Options(floor=0.2)),
        "FITS": (Product.FITS, Options()),
        "MOC": (Product.MOC, Options()),
        "picture, zoomed": (Product.PNG, Options()),
        "picture, full sky": (Product.PNG, Options(view=View.FULL)),
    }
    took = {}
    for _ in range(2):
        for name, (product, options) in asked.items():
            before = time.process_time()
            made(product, Source(content, final=True), options)
            took[name] = time.process_time() - before
    return took


def by_skyreader(result: dict[str, Any]) -> dict[str, float]:
    """Processor seconds of its two plots; the zoomed one makes FITS files and contours, too."""
    from skydriver.cli.plot import plot_result

    # It takes results of eight columns only.
    for table in result.values():
        table["columns"] = [*table["columns"], "X", "Y", "Z", "T"]
        table["data"] = [[*row, 0.0, 0.0, 0.0, 0.0] for row in table["data"]]
    with tempfile.TemporaryDirectory() as folder:
        plot_result(bowl(1), Path(folder))
        before = time.process_time()
        plot_result(result, Path(folder), keep_all=True)
        return {"everything": time.process_time() - before}


def main() -> None:
    """Print JSON: what each product took, and the most memory (MB) that was ever held."""
    who, size = sys.argv[1:]
    result = as_result(SIZES[size]())
    took = by_us(result) if who == "ours" else by_skyreader(result)
    print(json.dumps({"seconds": took, "peak": peak(os.getpid())}))


if __name__ == "__main__":
    main()
