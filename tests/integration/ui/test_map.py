"""The live map in a real browser, of results as scanners send them, beside the library's numbers."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, Route, expect

from skydriver.skymap.picture import Format, area_words, picture
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.regions import regions
from skydriver.skymap.result import Result
from skydriver.skymap.sphere import ICRS_TO_GALACTIC, degrees_of, vectors_of
from skydriver.skymap.summary import contours, summary
from skydriver.ui.render import static_url
from tests.conftest import eventually
from tests.support.site import PAGE, Site
from tests.support.skymaps import as_result, fisher, scanned

pytestmark = pytest.mark.asyncio(loop_scope="module")

RA, DEC = 77.4, 5.7
HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Map</title>
<link rel="stylesheet" href="{style}"></head><body><main>
<figure id="map" data-result="/scan/some/result?a=1" data-contours="/scan/some/contours?b=2"
 data-summary="/scan/some/skymap?c=3"><img src="/scan/some/skymap.png" alt="Map">
<figcaption>The map</figcaption></figure>
<dl data-summary></dl></main><div id="live" role="status"></div>
<script type="module" src="{module}"></script></body></html>"""
MINUS = "\N{MINUS SIGN}"
READOUT = re.compile(
    rf"RA ([\d.]+)°, Dec ([+{MINUS}][\d.]+)°, l ([\d.]+)°, b ([+{MINUS}][\d.]+)°: "
    rf"(?:{MINUS}2ΔlnL ([\d.]+) \(nside (\d+)\)|not scanned)"
)


def mapped(*progression: tuple[int, int]) -> tuple[dict[str, Any], Skymap]:
    result = as_result(scanned(fisher(RA, DEC, 0.6), progression))
    return result, skymap(Result.read(result))


FULL = ((8, 0), (64, 12), (512, 24))


def say(site: Site, result: Mapping[str, Any], *, final: bool = False) -> None:
    """Let the site answer as the service does of a result."""
    shown = skymap(Result.read(result))
    site.page = HTML.format(style=static_url("style.css"), module=static_url("map.js"))
    site.answers = {
        "/scan/some/result?a=1": {"scan_id": "some", "skyscan_result": result, "is_final": final},
        "/scan/some/contours?b=2": contours(shown),
        "/scan/some/skymap?c=3": summary(shown, final=final),
        "/scan/some/skymap.png": picture(shown, Format.PNG, width=800),
    }


async def opened(page: Page, site: Site) -> Any:
    """Open the page, and wait for its map."""
    await page.goto(site.url)
    await expect(page.locator("#map")).to_have_attribute("data-view", "full")
    return page.locator("#map canvas")


def numbers(text: str) -> tuple[float, float, float, float, float | None]:
    match = READOUT.fullmatch(text)
    assert match is not None, text
    ra, dec, longitude, latitude = (float(part.replace(MINUS, "-")) for part in match.groups()[:4])
    return ra, dec, longitude, latitude, float(match[5]) if match[5] else None


async def read(
    page: Page, canvas: Any, x: float, y: float
) -> tuple[float, float, float, float, float | None]:
    """Point at a part of the canvas, and read what is said of it."""
    box = await canvas.bounding_box()
    await page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    return numbers(await page.inner_text(".map-readout"))


async def colour(canvas: Any, x: float, y: float) -> list[int]:
    """The colour of a part of the canvas."""
    found: list[int] = await canvas.evaluate(
        """(canvas, [x, y]) => [...canvas.getContext("2d")
        .getImageData(x * canvas.width, y * canvas.height, 1, 1).data]""",
        [x, y],
    )
    return found


async def test_the_map_takes_the_place_of_the_picture(page: Page, site: Site) -> None:
    result, shown = mapped(*FULL)
    say(site, result)
    canvas = await opened(page, site)
    await expect(page.locator("#map img")).to_be_hidden()
    await expect(page.locator("#map")).to_have_attribute(
        "data-pixels", str(sum(level.nest.size for level in shown.levels))
    )
    ra, dec = degrees_of(shown.centres[shown.best])
    name = await canvas.get_attribute("aria-label")
    assert f"best fit at RA {float(ra):.1f}°, Dec +{float(dec):.1f}°" in name


async def test_the_readout_says_what_the_library_has(page: Page, site: Site) -> None:
    result, shown = mapped(*FULL)
    say(site, result)
    canvas = await opened(page, site)
    for view in ("full", "zoom"):
        if view == "zoom":
            await page.get_by_role("button", name="Best fit").click()
        await expect(page.locator("#map")).to_have_attribute("data-view", view)
        found = []
        for place in (0.3, 0.4, 0.5, 0.6, 0.7):
            ra, dec, longitude, latitude, value = await read(page, canvas, place, 0.41)
            found.append(ra)
            direction = vectors_of(ra, dec)
            l_deg, b_deg = degrees_of(ICRS_TO_GALACTIC @ direction)
            tolerance = 0.2 if view == "full" else 2e-3
            assert (longitude, latitude) == pytest.approx((float(l_deg), float(b_deg)), abs=tolerance)
            # What is read is rounded: it may be the cell beside it.
            around = np.meshgrid(*[np.linspace(-tolerance, tolerance, 9) / 2.0] * 2)
            near = vectors_of(ra + around[0], dec + around[1])
            values = shown.test_statistic[shown.cells_at(near)]
            assert value is not None
            assert np.abs(values - value).min() < 0.006
        # East is left.
        assert found == sorted(found, reverse=True)


async def test_light_is_likely_and_sky_that_was_not_scanned_is_grey(page: Page, site: Site) -> None:
    result, _ = mapped(*FULL)
    say(site, {name: table for name, table in result.items() if name != "nside-8"})
    canvas = await opened(page, site)
    for layer in ("Grid", "Galactic plane", "Contours"):
        await page.get_by_label(layer).uncheck()
    await canvas.focus()
    await page.keyboard.press("b")
    await expect(page.locator("#map")).to_have_attribute("data-view", "zoom")
    red, green, _, _ = await colour(canvas, 0.52, 0.41)
    assert red > 120 and green > 180
    await page.keyboard.press("0")
    await expect(page.locator("#map")).to_have_attribute("data-view", "full")
    red, green, blue, _ = await colour(canvas, 0.5, 0.2)
    assert red == green == blue


async def test_keys_move_a_cross_zoom_and_say_where_it_is(page: Page, site: Site) -> None:
    result, shown = mapped(*FULL)
    say(site, result)
    canvas = await opened(page, site)
    await expect(page.locator("dl[data-summary] dt").first).to_be_visible()
    await canvas.focus()
    await page.keyboard.press("b")
    await expect(page.locator("#live")).to_contain_text(f"{MINUS}2ΔlnL 0.00 (nside 512)")
    ra, dec, *_ = numbers(await page.inner_text("#live"))
    best = degrees_of(shown.centres[shown.best])
    assert (ra, dec) == pytest.approx((float(best[0]), float(best[1])), abs=6e-4)
    await page.keyboard.press("ArrowLeft")
    moved, up, *_ = numbers(await page.inner_text("#live"))
    assert moved > ra and up == pytest.approx(dec, abs=0.01)
    await page.keyboard.press("Shift+ArrowUp")
    assert numbers(await page.inner_text("#live"))[1] > up
    for key, view in (("0", "full"), ("+", "zoom"), ("+", "zoom"), ("-", "zoom"), ("-", "full")):
        await page.keyboard.press(key)
        await expect(page.locator("#map")).to_have_attribute("data-view", view)


async def test_the_wheel_zooms_about_the_pointer_and_a_drag_moves_the_sky(page: Page, site: Site) -> None:
    result, _ = mapped(*FULL)
    say(site, result)
    canvas = await opened(page, site)
    before = await read(page, canvas, 0.3, 0.3)
    await page.mouse.wheel(0, -100)
    await expect(page.locator("#map")).to_have_attribute("data-view", "zoom")
    await page.mouse.wheel(0, -300)
    after = await read(page, canvas, 0.3, 0.3)
    assert after[:2] == pytest.approx(before[:2], abs=0.2)
    await page.mouse.down()
    dragged = await read(page, canvas, 0.6, 0.5)
    await page.mouse.up()
    assert dragged[:2] == pytest.approx(after[:2], abs=0.05)
    elsewhere = await read(page, canvas, 0.3, 0.3)
    assert elsewhere[:2] != pytest.approx(after[:2], abs=0.5)


async def test_two_fingers_zoom(browser: Browser, site: Site) -> None:
    result, _ = mapped(*FULL)
    say(site, result)
    async with await browser.new_context(has_touch=True, viewport={"width": 360, "height": 800}) as context:
        page = await context.new_page()
        canvas = await opened(page, site)
        box = await canvas.bounding_box()
        fingers = await context.new_cdp_session(page)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.4

        async def touch(kind: str, apart: float) -> None:
            points = [] if kind == "touchEnd" else [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
            await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        await touch("touchStart", 20)
        for apart in (30, 45, 60, 80):
            await touch("touchMove", apart)
        await touch("touchEnd", 0)
        await expect(page.locator("#map")).to_have_attribute("data-view", "zoom")


async def test_a_new_result_is_drawn_without_an_empty_canvas(page: Page, site: Site) -> None:
    first, _ = mapped((8, 0), (64, 12))
    say(site, first)
    await opened(page, site)
    # Watches the middle of the map in each frame.
    await page.evaluate(
        """() => {
          window.least = 255;
          const canvas = document.querySelector("#map canvas");
          const look = () => {
            const at = [canvas.width / 2, canvas.height * 0.35, 1, 1];
            window.least = Math.min(window.least, canvas.getContext("2d").getImageData(...at).data[3]);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    second, shown = mapped(*FULL)
    say(site, second, final=True)
    await refreshed(page)
    pixels = sum(level.nest.size for level in shown.levels)
    await expect(page.locator("#map")).to_have_attribute("data-pixels", str(pixels))
    await expect(page.locator("dl[data-summary]")).to_contain_text("512")
    assert await page.evaluate("window.least") == 255


async def refreshed(page: Page) -> None:
    """Say that the page was refreshed, as its module does."""
    await page.evaluate("document.dispatchEvent(new CustomEvent('skydriver:refreshed'))")


async def test_what_has_not_changed_is_not_sent_again(page: Page, site: Site) -> None:
    result, _ = mapped((8, 0), (64, 12))
    say(site, result)
    await opened(page, site)
    await expect(page.locator("dl[data-summary] dt").first).to_be_visible()
    for path in ("result?a=1", "contours?b=2", "skymap?c=3"):
        async with page.expect_response(f"{site.url.removesuffix(PAGE)}/scan/some/{path}") as answer:
            await refreshed(page)
        assert (await answer.value).status == 304


async def test_numbers_stand_beside_the_map(page: Page, site: Site) -> None:
    result, shown = mapped(*FULL)
    say(site, result)
    await opened(page, site)
    numbers_of = summary(shown, final=False)
    listed = page.locator("dl[data-summary]")
    await expect(listed).to_contain_text("Right ascension")
    said = await listed.inner_text()
    best = numbers_of["best_fit"]
    assert f"{best['ra']:.2f} +" in said and f"{best['dec']:.2f} +" in said
    # As the picture says it.
    for words in map(area_words, regions(shown)):
        name, _, size = words.partition("   ")
        assert f"{name}\n{size}" in said
    assert numbers_of["notes"][0]["text"] in said


async def test_before_the_first_pixel_the_sky_is_empty(page: Page, site: Site) -> None:
    say(site, mapped((1, 0), (2, 12))[0])
    site.answers = {"/scan/some/result?a=1": {}}
    canvas = await opened(page, site)
    assert "0 pixels, no best fit yet" in await canvas.get_attribute("aria-label")
    assert (await read(page, canvas, 0.5, 0.41))[4] is None


async def test_while_the_service_is_away_the_map_stays(page: Page, site: Site) -> None:
    say(site, mapped((8, 0), (64, 12))[0])
    canvas = await opened(page, site)
    before = await colour(canvas, 0.5, 0.3)
    for status in (503, 0):
        site.status = status
        async with page.expect_event("request", lambda request: "/result" in request.url):
            await refreshed(page)
        await expect(canvas).to_be_visible()
        assert await colour(canvas, 0.5, 0.3) == before
    site.status = None


async def test_a_service_with_too_much_to_do_is_asked_again(page: Page, site: Site) -> None:
    say(site, mapped((8, 0), (64, 12))[0], final=True)

    async def refuse(route: Route) -> None:
        await route.fulfill(status=429)

    for path in ("contours", "skymap"):
        await page.route(f"**/scan/some/{path}?*", refuse)
    await page.clock.install()
    # A page that is not refreshed: its scan is over.
    async with page.expect_response("**/scan/some/skymap?*"), page.expect_response("**/scan/some/contours?*"):
        await opened(page, site)
    await page.unroute_all()
    assert site.count("/scan/some/contours?b=2") == 0

    async def asked() -> bool:
        await page.clock.run_for(1000)
        return site.count("/scan/some/contours?b=2", 200) > 0

    await eventually(asked, deadline=120.0)
    await expect(page.locator("dl[data-summary]")).to_contain_text("Right ascension")


async def test_a_result_that_comes_while_another_loads_is_shown(page: Page, site: Site) -> None:
    say(site, mapped((8, 0), (64, 12))[0])
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        reached.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/scan/some/contours?*", hold)
    await opened(page, site)
    await reached.wait()
    last, shown = mapped(*FULL)
    say(site, last, final=True)
    # The last refresh of a page whose scan has ended: no other one follows.
    await refreshed(page)
    go_on.set()
    pixels = sum(level.nest.size for level in shown.levels)
    await expect(page.locator("#map")).to_have_attribute("data-pixels", str(pixels))
    await expect(page.locator("dl[data-summary]")).to_contain_text("512")


async def test_without_scripts_there_is_the_picture(browser: Browser, site: Site) -> None:
    say(site, mapped((8, 0), (64, 12))[0])
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(site.url)
        picture_shown = page.locator("#map img")
        await expect(picture_shown).to_be_visible()
        await expect(page.locator("#map canvas")).to_have_count(0)
