"""Products of a scan's result over HTTP: what comes, how it is kept, and what is refused."""

import gzip
import io
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from astropy.io import fits

from functions.api.find_skymap import find_skymap
from functions.api.get_contours import get_contours
from functions.api.get_gcn_notice import get_gcn_notice
from functions.api.get_moc import get_moc
from functions.api.get_openapi import get_openapi
from functions.api.get_skymap import get_skymap
from functions.api.get_skymap_fits import get_skymap_fits
from functions.api.get_skymap_pdf import get_skymap_pdf
from functions.api.get_skymap_png import get_skymap_png
from functions.api.get_skymap_svg import get_skymap_svg
from skydriver.model.phases import Outcome, Phase
from skydriver.rest.skymaps import response
from skydriver.runtime.per_loop import PerLoop
from skydriver.s3.client import client as s3_client
from skydriver.settings import settings
from skydriver.skymap.options import choices
from skydriver.store import results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import NAME
from tests.support.documents import change, result, scan
from tests.support.links import follow
from tests.support.parts import NOWHERE
from tests.support.serving import client_of
from tests.support.skymaps import as_result, fisher, scanned
from tests.support.trips import Trips

pytestmark = pytest.mark.usefixtures("database", "bucket")

PRODUCTS: dict[str, tuple[Any, str, bytes]] = {
    "skymap": (get_skymap, "application/json", b"{"),
    "skymap.fits": (get_skymap_fits, "application/gzip", b"\x1f\x8b"),
    "skymap.png": (get_skymap_png, "image/png", b"\x89PNG"),
    "skymap.svg": (get_skymap_svg, "image/svg+xml", b"<?xml"),
    "skymap.pdf": (get_skymap_pdf, "application/pdf", b"%PDF"),
    "contours": (get_contours, "application/json", b"{"),
    "moc": (get_moc, "application/json", b"{"),
    "gcn-notice": (get_gcn_notice, "application/json", b"{"),
}
each_product = pytest.mark.parametrize("product", PRODUCTS)
RESULT = as_result(scanned(fisher(120.0, 35.0, 0.6)))


async def stored(
    content: dict[str, Any] | None = RESULT,
    *,
    is_final: bool = True,
    phase: Phase = Phase.ENDED,
    **fields: Any,
) -> str:
    """A scan with a result; its id."""
    document = scan(phase, **fields)
    # Ids of tests repeat, and products are kept by them.
    document["_id"] = document["scan_id"] = uuid.uuid4().hex
    if content is not None:
        raw = orjson.dumps(content)
        version = await results.put(document["_id"], raw)
        pointer = result(is_final=is_final, version=version)
        document["result"] = {**pointer, "bytes": len(raw), "came_at": 1_500_000_000.0}
    await scan_document.insert(document)
    scan_id: str = document["_id"]
    return scan_id


async def get(product: str, scan_id: str, headers: Any = None, **options: str) -> httpx.Response:
    async with client_of(PRODUCTS[product][0]) as client:
        return await client.get(f"/scan/{scan_id}/{product}", params=options, headers=headers)


async def error(code: int, product: str, scan_id: str, **options: str) -> str:
    answer = await get(product, scan_id, **options)
    assert (answer.status_code, answer.json()["code"]) == (code, code), answer.text
    return str(answer.json()["error"])


def kept(scan_id: str) -> list[str]:
    """The keys of a scan's products in S3."""
    listed = s3_client().list_objects_v2(Bucket=settings().s3_bucket, Prefix=f"skymaps/{scan_id}/")
    return [item["Key"] for item in listed.get("Contents", [])]


@each_product
async def test_a_product_is_made_once_kept_and_known_by_its_etag(product: str, trips: Trips) -> None:
    scan_id = await stored()
    first = await get(product, scan_id)
    assert first.status_code == 200, first.text
    _, media_type, begin = PRODUCTS[product]
    assert first.headers["content-type"] == media_type
    assert first.content.startswith(begin)
    assert first.headers["cache-control"] == "private, no-cache"
    assert "content-encoding" not in first.headers
    assert first.headers["etag"].startswith('"')
    assert len(kept(scan_id)) == 1
    await PerLoop.close_all()
    again = await get(product, scan_id)
    assert again.content == first.content
    assert again.headers == first.headers
    assert trips.asked == ["find"], "it comes from S3, and the result is not read"
    s3_client().delete_object(Bucket=settings().s3_bucket, Key=kept(scan_id)[0])
    trips.asked.clear()
    for given in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        known = await get(product, scan_id, {"If-None-Match": given})
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["etag"] == first.headers["etag"]
    assert trips.asked == ["find"] * 3
    assert kept(scan_id) == [], "nothing was made for a client that has it"
    async with client_of(PRODUCTS[product][0]) as client:
        head = await client.head(f"/scan/{scan_id}/{product}", headers={"If-None-Match": '"x"'})
    assert (head.status_code, head.content, head.headers) == (200, b"", first.headers), "made anew, the same"
    assert len(kept(scan_id)) == 1


@pytest.mark.parametrize("product", ["skymap", "skymap.fits", "skymap.png", "moc"])
async def test_a_partial_results_products_are_made_each_time(product: str) -> None:
    scan_id = await stored(as_result(scanned(fisher(120.0, 35.0, 0.6), [(8, 0)])), is_final=False)
    first, second = [await get(product, scan_id) for _ in range(2)]
    assert first.status_code == 200
    assert first.content == second.content
    assert kept(scan_id) == []


async def test_an_etag_changes_with_result_code_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = await stored()
    other = await stored()
    tags = [
        (await get("skymap.fits", scan_id, **options)).headers["etag"]
        for options in (
            {},
            {"floor": "0.2"},
            {"values": "llh"},
            {"nside": "64"},
            {"nside": "64", "ordering": "ring"},
        )
    ]
    tags.append((await get("skymap.fits", other)).headers["etag"])
    assert (await get("skymap.fits", scan_id, floor="0")).headers["etag"] == tags[0], (
        "the default, written out"
    )
    await collection(NAME).update_one(
        {"_id": scan_id}, {"$set": {"result": (await collection(NAME).find_one({"_id": other}))["result"]}}
    )
    assert (await get("moc", scan_id)).status_code == 503, "the result of another scan is not there"
    monkeypatch.setattr(response, "code_version", lambda: "another")
    tags.append((await get("skymap.fits", other)).headers["etag"])
    assert len(set(tags)) == len(tags)


async def test_a_picture_with_a_second_scan_depends_on_both() -> None:
    first, second = await stored(), await stored(as_result(scanned(fisher(120.5, 35.2, 0.5))))
    alone = await get("skymap.png", first, width="800")
    both = await get("skymap.png", first, width="800", **{"with": second})
    assert both.status_code == 200
    assert both.content != alone.content
    assert both.headers["etag"] != alone.headers["etag"]
    assert "there is no scan 'nowhere'" in await error(404, "skymap.png", first, **{"with": "nowhere"})
    partial_one = await stored(is_final=False)
    before = len(kept(first))
    assert (await get("skymap.png", first, width="800", **{"with": partial_one})).status_code == 200
    assert len(kept(first)) == before, "a picture with a partial result is not kept"


async def test_files_have_names_by_which_programs_of_the_field_find_them() -> None:
    scan_id = await stored()
    stem = "run00130033.evt000050579430.EHE_8_64_512"
    expected = {
        ("skymap", ()): f'inline; filename="{stem}.summary.json"',
        ("skymap.fits", ()): f'attachment; filename="{stem}.skymap_nside_512_probability.multiorder.fits.gz"',
        ("skymap.fits", (("nside", "64"), ("values", "llh"))): (
            f'attachment; filename="{stem}.skymap_nside_64_llh.fits.gz"'
        ),
        ("skymap.png", ()): f'inline; filename="{stem}.zoomed.png"',
        ("skymap.svg", (("view", "full"),)): f'inline; filename="{stem}.full-sky.svg"',
        ("moc", (("format", "fits"), ("level", "50"))): (
            f'attachment; filename="{stem}.region_50_probability.moc.fits"'
        ),
    }
    for (product, options), disposition in expected.items():
        assert (await get(product, scan_id, **dict(options))).headers["content-disposition"] == disposition


async def test_a_fits_file_says_when_the_result_came() -> None:
    content = (await get("skymap.fits", await stored())).content
    with fits.open(io.BytesIO(gzip.decompress(content))) as file:
        header = file[1].header
    assert header["DATE"] == "2017-07-14T02:40:00"
    assert (header["CREATOR"], header["FINAL"], header["RUNID"]) == ("SkyDriver", True, 130033)


async def test_a_summary_leads_to_all_others() -> None:
    scan_id = await stored()
    summary = (await get("skymap", scan_id)).json()
    assert summary["scan_id"] == scan_id
    assert (summary["final"], summary["best_fit"]["ra"]) == (True, pytest.approx(120.0, abs=0.1))
    for path in summary["links"].values():
        route = path.removeprefix(f"/scan/{scan_id}/").partition("?")[0]
        assert route == "result" or route in PRODUCTS
        assert (await follow(path)).status_code == 200, path
    assert {"fits", "png", "svg", "pdf", "contours", "moc", "gcn_notice"} <= summary["links"].keys()


async def test_a_summary_of_a_hidden_scan_leads_to_what_is_hidden_also_if_it_was_known_before() -> None:
    scan_id = await stored()
    before = await get("skymap", scan_id)
    await change(scan_id, is_deleted=True)
    hidden = await get("skymap", scan_id, {"If-None-Match": before.headers["etag"]}, include_deleted="true")
    assert hidden.status_code == 200
    links = hidden.json()["links"]
    assert links.keys() == before.json()["links"].keys()
    for path in links.values():
        assert (await follow(path)).status_code == 200, path


async def test_products_in_json_are_as_documented() -> None:
    scan_id = await stored()
    async with client_of(get_openapi) as client:
        document = (await client.get("/openapi.json")).json()
    for product, (_, media_type, _) in PRODUCTS.items():
        operation = document["paths"][f"/scan/{{scan_id}}/{product}"]["get"]
        content = operation["responses"]["200"]["content"]
        assert media_type in content
        if media_type == "application/json":
            schema = {**content[media_type]["schema"], "components": document["components"]}
            jsonschema.Draft202012Validator(schema).validate((await get(product, scan_id)).json())
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and parameter["name"] not in ("include_deleted", "with"):
                named = parameter["schema"]
                listed = named.get("enum") or named["anyOf"][0]["enum"]
                assert listed == list(choices(parameter["name"]))


async def test_a_picture_that_is_a_page_may_do_nothing() -> None:
    headers = (await get("skymap.svg", await stored(), width="800")).headers
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("product", "options", "sentence"),
    [
        ("skymap", {"floor": "0.3"}, "argument floor: must be one of 0, 0.2, 0.5, 1, not '0.3'"),
        ("skymap", {"width": "800"}, "argument width: is an unrecognized argument"),
        ("skymap.png", {"width": "1000"}, "argument width: must be one of 800, 1200, 2400, not '1000'"),
        (
            "skymap.svg",
            {"view": "all", "frame": "ecliptic"},
            "argument view: must be one of full, zoom, not 'all'; "
            "argument frame: must be one of equatorial, galactic, not 'ecliptic'",
        ),
        ("skymap.pdf", {"with": "../x"}, r"argument with: must match ^\w{1,64}$"),
        (
            "skymap.fits",
            {"nside": "2048"},
            "argument nside: must be one of 64, 128, 256, 512, 1024, not '2048'",
        ),
        (
            "skymap.fits",
            {"ordering": "ring"},
            "argument ordering: goes with nside only: a multi-order map has no ordering to choose",
        ),
        (
            "moc",
            {"level": "3sigma", "definition": "ic160427a"},
            "argument level: must be one of 50, 90 for ic160427a, not 3sigma",
        ),
        ("moc", {"format": "ascii"}, "argument format: must be one of json, fits, not 'ascii'"),
        (
            "contours",
            {"definition": "wilks", "floor": "1"},
            "argument floor: must be 0 for wilks, whose regions are of the likelihood",
        ),
        ("gcn-notice", {"floor": "x"}, "argument floor: must be one of 0, 0.2, 0.5, 1, not 'x'"),
    ],
)
async def test_other_options_are_refused_with_what_there_is(
    product: str, options: dict[str, str], sentence: str
) -> None:
    assert await error(400, product, await stored(), **options) == sentence


async def test_where_there_is_no_result() -> None:
    product = "moc"
    scan_id = await stored(None, phase=Phase.RUNNING)
    answer = await get(product, scan_id)
    assert (answer.status_code, answer.headers["retry-after"]) == (404, "60")
    assert answer.json()["error"] == f"scan '{scan_id}' has no result yet; ask again in 60 s"
    ended = await stored(None, phase=Phase.ENDED, outcome=Outcome.FAILED)
    answer = await get(product, ended)
    assert (answer.status_code, "retry-after" in answer.headers) == (404, False)
    assert "has failed without a result" in answer.json()["error"]
    assert "there is no scan" in await error(404, product, "nothing")
    deleted = await stored(is_deleted=True)
    assert "was deleted" in await error(404, product, deleted)
    assert (await get(product, deleted, include_deleted="true")).status_code == 200
    removed = await stored()
    changes = {"$set": {"result.removed_at": time.time()}, "$unset": {"result.version": ""}}
    await collection(NAME).update_one({"_id": removed}, changes)
    assert "rescan it" in await error(404, product, removed)


def with_llh(
    change: Callable[[int, float], float | None], progression: Any = ((8, 0), (64, 12))
) -> dict[str, Any]:
    """A result whose likelihoods are changed, by pixel."""
    content = as_result(scanned(fisher(120.0, 35.0, 0.6), [(8, 0), (64, 12)]))
    for table in content.values():
        table["data"] = [[pixel, change(pixel, llh), *rest] for pixel, llh, *rest in table["data"]]
    return content


EMPTY: dict[str, Any] = {"columns": ["index", "llh"], "data": [], "metadata": {}}
BAD: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "flat": (partial(with_llh, lambda _, __: 5.0), "have the same likelihood"),
    "null": (partial(with_llh, lambda _, __: None), "No pixel of this result has a finite likelihood"),
    "no pixels": (
        lambda: {"nside-8": {"columns": ["index", "llh"], "data": [], "metadata": {}}},
        "no pixels",
    ),
    "no result": (lambda: {"nside-8": {}}, "not of the form"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("product", ["skymap", "skymap.png"])
async def test_a_result_that_shows_no_direction_is_refused_in_a_sentence(product: str, kind: str) -> None:
    content, sentence = BAD[kind]
    assert sentence in await error(422, product, await stored(content()))


@pytest.mark.parametrize("product", ["skymap", "skymap.svg", "contours", "gcn-notice"])
async def test_a_single_pixel_makes_a_product_that_says_so(product: str) -> None:
    content = as_result({8: {100: 5.0}})
    scan_id = await stored(content)
    if product == "gcn-notice":
        assert "not known" in await error(422, product, scan_id)
        return
    answer = await get(product, scan_id)
    assert answer.status_code == 200, answer.text
    if product == "skymap":
        assert {"less_than_a_pixel", "clipped"} <= {note["code"] for note in answer.json()["notes"]}


async def test_a_best_pixel_that_alone_holds_most_is_less_than_one_pixel() -> None:
    content = with_llh(lambda _, llh: 1000.0 + 1e4 * (llh - 1000.0))
    scan_id = await stored(content)
    summary = (await get("skymap", scan_id)).json()
    region = next(one for one in summary["definitions"]["probability"]["regions"] if one["level"] == "90")
    assert (region["less_than_a_pixel"], region["resolved"]) == (True, False)
    assert "less than one pixel" in await error(422, "gcn-notice", scan_id)
    for product in ("skymap.png", "skymap.svg", "contours", "moc", "skymap.fits"):
        assert (await get(product, scan_id)).status_code == 200


async def test_no_notice_of_a_partial_result() -> None:
    assert "partial" in await error(422, "gcn-notice", await stored(is_final=False))


async def test_without_s3_products_are_made_all_the_same(configure: Callable[..., None]) -> None:
    configure(S3_ENDPOINT_URL=NOWHERE)
    assert (await get("moc", await stored())).status_code == 200


async def test_what_takes_too_long_is_asked_for_again(configure: Callable[..., None]) -> None:
    scan_id = await stored()
    configure(STEP_DEADLINE="0.001")
    answer = await get("skymap.png", scan_id)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_without_the_packages_users_learn_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'mocpy'", name="mocpy")

    monkeypatch.setattr("skydriver.skymap.products.made", missing)
    sentence = await error(501, "moc", await stored())
    assert sentence.startswith("skymaps are not installed here (there is no package mocpy): install them by")


async def test_an_event_leads_to_its_newest_final_skymap() -> None:
    event: dict[str, Any] = {"run_id": 130033, "event_id": 50579430}
    metadata: dict[str, Any] = {
        "event_metadata": {**event, "event_type": "EHE", "mjd": 1.0, "is_real_event": True}
    }
    old = await stored(timestamp=1.0, **metadata)
    new = await stored(timestamp=2.0, **metadata)
    await stored(timestamp=3.0, is_final=False, **metadata)
    await stored(timestamp=4.0, is_deleted=True, **metadata)
    await stored(None, timestamp=5.0, **metadata)
    named = {"run": 130033, "event": 50579430}
    async with client_of(find_skymap) as client:
        found = await client.get("/skymaps", params=named)
        assert (found.status_code, found.headers["location"]) == (303, f"/scan/{new}/skymap")
        await collection(NAME).update_one({"_id": new}, {"$set": {"is_deleted": True}})
        found = await client.get("/skymaps", params=named)
        assert found.headers["location"] == f"/scan/{old}/skymap"
        nothing = await client.get("/skymaps", params={"run": 1, "event": 2})
        assert (nothing.status_code, nothing.json()["error"]) == (
            404,
            "there is no scan of run 1, event 2 with a final result",
        )
        refused = await client.get("/skymaps", params={"run": "x"})
        assert refused.status_code == 400
        assert "argument event: is required" in refused.json()["error"]
