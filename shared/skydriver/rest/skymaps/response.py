"""Responding with a skymap's product: by its ETag where the client has it, else kept in S3, else made now."""

import asyncio
import datetime as dt
import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from starlette.responses import Response

from skydriver import skymap
from skydriver.errors import NotFound, NotInstalled, NotYet, TemporaryError, Unprocessable
from skydriver.model.documents import ResultPointer
from skydriver.model.phases import COMPLETE
from skydriver.model.product_paths import RESULT, product_path
from skydriver.rest.endpoint import RequestContext
from skydriver.rest.etags import headers_with, is_known
from skydriver.rest.skymaps.arguments import ProductArguments
from skydriver.rest.views import SHOWN_BY, check_kept, result_content, visible_scan
from skydriver.s3 import skymaps as kept
from skydriver.settings import settings
from skydriver.skymap.options import Options, Product
from skydriver.store.scans import document as scan_document

if TYPE_CHECKING:
    from skydriver.skymap.products import File, Source

logger = logging.getLogger(__name__)

Asked = TypeVar("Asked", bound=ProductArguments)

DRAWING_SHARE = 0.75
"""The part of a function's time that making a product may take, with the wait for the one before it."""
FIRST_RESULT_SECONDS = 60
"""Seconds after which it is worth asking again for the first result; scanners send one every few minutes."""
_FIELDS = (*SHOWN_BY, "result", "phase", "outcome")
_LIBRARIES = ("astropy", "healpix", "matplotlib", "mocpy", "numpy")
_SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What an SVG may do where a browser shows it as a page: nothing."""

# One product at a time in a process: each takes a processor, and up to some hundred megabytes.
_maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="skymap")


async def product_response(
    call: RequestContext[Asked], product: Product, *, second: str | None = None
) -> Response:
    """Respond with a product of a scan's result.

    A client that has it learns so in one round trip to the database. Products of final results are kept in
    S3, those of partial ones are made each time.

    Args:
        call: the call.
        product: what to make.
        second: the id of another scan that is drawn, too.

    Raises:
        NotFound: there is no such scan, or it has no result.
        NotYet: it has none yet.
        InvalidArguments: options do not go together.
        Unprocessable: the result is of no use for this product.
        NotInstalled: the packages for it are not there.
        TemporaryError: it takes too long, or a newer result has just taken this one's place.
    """
    options = call.arguments.options
    ids = [call.scan_id] if second is None else [call.scan_id, second]
    scans = await scan_document.get_fields_of(ids, _FIELDS)
    include_deleted = call.arguments.include_deleted
    pointers = [_pointer(name, scans.get(name), include_deleted=include_deleted) for name in ids]
    versions = [str(pointer["version"]) for pointer in pointers]
    # A summary changes with its links: they are others once the scan is hidden.
    told = None
    if product is Product.SUMMARY:
        is_hidden = bool(scans[call.scan_id]["is_deleted"])
        told = {"scan_id": call.scan_id, "links": links(call.scan_id, include_deleted=is_hidden)}
    code = code_version()
    etag = _digest([product, call.scan_id, second, versions, code, asdict(options), told])
    headers = {**headers_with(f'"{etag}"'), "X-Content-Type-Options": "nosniff"}
    if product is Product.SVG:
        headers["Content-Security-Policy"] = _SANDBOX
    if is_known(call.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    key = kept.key(call.scan_id, versions[0], code, etag)
    is_final = all(pointer["is_final"] for pointer in pointers)
    found = await _found(key) if is_final else None
    if found is None:
        contents = [await result_content(*pair) for pair in zip(ids, pointers, strict=True)]
        found = await _made(product, options, list(zip(ids, pointers, contents, strict=True)), told)
        if is_final:
            await _keep(key, found)
    headers["Content-Disposition"] = found.disposition
    return Response(found.content, media_type=found.media_type, headers=headers)


def links(scan_id: str, *, include_deleted: bool) -> dict[str, str]:
    """Say where the products of a scan are, relative to the service's address.

    Args:
        scan_id: the scan.
        include_deleted: whether they must be found though the scan is hidden.
    """
    path = partial(product_path, scan_id, include_deleted=include_deleted)
    return {
        "fits": path("skymap.fits"),
        "png": path("skymap.png"),
        "full_sky_png": path("skymap.png", view="full"),
        "svg": path("skymap.svg"),
        "pdf": path("skymap.pdf"),
        "contours": path("contours"),
        "moc": path("moc"),
        "moc_fits": path("moc", format="fits"),
        "gcn_notice": path("gcn-notice"),
        "result": path(RESULT),
    }


@cache
def code_version() -> str:
    """Say what makes products: changes with our own code, and with the libraries that it uses."""
    own = [*Path(skymap.__path__[0]).glob("*.py"), Path(__file__)]
    sources = [path.read_bytes() for path in sorted(own)]
    return _digest([hashlib.sha256(b"\0".join(sources)).hexdigest(), *map(_version, _LIBRARIES)])[:16]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


# The sources are read now: while the function serves, this would block its event loop.
code_version()


def _pointer(scan_id: str, scan: dict[str, Any] | None, *, include_deleted: bool) -> ResultPointer:
    scan = visible_scan(scan_id, scan, include_deleted=include_deleted)
    pointer: ResultPointer | None = scan["result"]
    if pointer is None and scan["phase"] in COMPLETE:
        raise NotFound(f"scan '{scan_id}' has {scan['outcome']} without a result, so there is no map of it")
    if pointer is None:
        raise NotYet(
            f"scan '{scan_id}' has no result yet; ask again in {FIRST_RESULT_SECONDS} s",
            retry_after=FIRST_RESULT_SECONDS,
        )
    check_kept(scan_id, pointer)
    return pointer


async def _found(key: str) -> kept.Stored | None:
    try:
        return await kept.get(key)
    except TemporaryError as error:
        logger.warning("%s; it is made anew", error)
        return None


async def _keep(key: str, product: kept.Stored) -> None:
    try:
        await kept.put(key, product)
    except TemporaryError as error:
        logger.warning("%s; the next request makes it anew", error)


async def _made(
    product: Product,
    options: Options,
    sources: list[tuple[str, ResultPointer, bytes]],
    told: dict[str, Any] | None,
) -> kept.Stored:
    seconds = DRAWING_SHARE * settings().step_deadline
    waiting = asyncio.get_running_loop().run_in_executor(_maker, _make, product, options, sources, told)
    try:
        async with asyncio.timeout(seconds):
            file = await waiting
    except TimeoutError:
        raise TemporaryError(
            f"this was not made within {seconds:g} s: the result is large, or others are made at the same "
            "time; try again"
        ) from None
    inline = "attachment" if file.media_type in ("application/gzip", "application/fits") else "inline"
    return kept.Stored(file.content, file.media_type, f'{inline}; filename="{file.name}"')


def _make(
    product: Product,
    options: Options,
    sources: list[tuple[str, ResultPointer, bytes]],
    told: dict[str, Any] | None,
) -> "File":
    """Make a product, in a thread.

    Args:
        product: what to make.
        options: of it.
        sources: the scans' ids, and their results.
        told: what a summary says besides; None for other products.

    Raises:
        NotInstalled: the packages for it are not there.
        Unprocessable: the result is of no use for this product.
    """
    try:
        from skydriver.skymap.products import made
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    first, *others = [_source(*one) for one in sources]
    try:
        return made(product, first, options, second=others[0] if others else None, more=told)
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    except MemoryError as error:
        raise Unprocessable(
            "This result is too large for a skymap here: there is not enough memory."
        ) from error


def _source(scan_id: str, pointer: ResultPointer, content: bytes) -> "Source":
    from skydriver.skymap.products import Source

    came = dt.datetime.fromtimestamp(pointer["came_at"], dt.UTC)
    return Source(content, final=pointer["is_final"], date=came, name=f"scan {scan_id[:8]}")


def _not_installed(error: ModuleNotFoundError) -> NotInstalled:
    return NotInstalled(
        f"skymaps are not installed here (there is no package {error.name}): "
        "install them by `pip install 'skydriver[skymap]'`, and start the service again"
    )
