"""The live map of a result with 30,000 pixels: how long the browser's main thread is busy with it."""

import healpix
import numpy as np
from playwright.async_api import Browser

from skydriver.ui.render import static_url
from tests.bench.figures import Figure, at_most
from tests.bench.rows import Row
from tests.bench.stage import Stage
from tests.components.chromium.browser import browser
from tests.support.site import Site, site
from tests.support.skymaps import Scan, add, as_result, fisher, vector

LIMIT_MS = 250.0
PIXELS = {8: 768, 64: 5_232, 512: 24_000}
HTML = """<!doctype html><title>Map</title><main>
<figure id="map" data-result="/result" data-contours="/contours"></figure></main>
<script type="module" src="{module}"></script>"""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    del stage
    scan: Scan = {}
    for nside, count in PIXELS.items():
        vectors = np.stack(healpix.pix2vec(nside, np.arange(12 * nside**2)), axis=-1)
        add(scan, fisher(77.4, 5.7, 0.6), nside, np.argsort(-(vectors @ vector(77.4, 5.7)))[:count])
    with site() as served:
        served.page = HTML.format(module=static_url("map.js"))
        served.answers = {"/result": {"skyscan_result": as_result(scan)}}
        async with browser() as running:
            took = [await _drawn(running, served) for _ in range(rounds)]
    what = f"{sum(PIXELS.values()):,} pixels, read and drawn 1,280 wide"
    return [Figure.of(what, took, [LIMIT_MS] * rounds, "ms", at_most(1.0))]


async def _drawn(running: Browser, served: Site) -> float:
    """Milliseconds of the main thread from the result to its first picture."""
    page = await running.new_page(viewport={"width": 1280, "height": 900})
    await page.goto(served.url)
    await page.locator("#map[data-view]").wait_for()
    took: float = await page.evaluate(
        """() => ["skydriver-cells", "skydriver-map"]
        .reduce((sum, name) => sum + performance.getEntriesByName(name)[0].duration, 0)"""
    )
    await page.close()
    return took


ROW = Row("canvas", "The live map in the browser's main thread", "what a page may take", run)
