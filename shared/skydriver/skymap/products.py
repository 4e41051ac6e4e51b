"""The products that are made of a result, each as the file that a user gets: bytes, media type, name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from skydriver.skymap import fits, moc, names
from skydriver.skymap import summary as numbers
from skydriver.skymap.notice import notice
from skydriver.skymap.options import MocFormat, Options, Product
from skydriver.skymap.picture import Format, picture
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.regions import regions
from skydriver.skymap.result import Result
from skydriver.skymap.smoothing import smoothed

CREATOR = "SkyDriver"
"""The program that made a file, as its header says."""
_JSON, _GZIP, _FITS = "application/json", "application/gzip", "application/fits"
_PICTURES = {Format.PNG: "image/png", Format.SVG: "image/svg+xml", Format.PDF: "application/pdf"}


@dataclass(frozen=True)
class Source:
    """A result that products are made of.

    Attributes:
        content: `nside-N` -> columns, data, metadata; read, or as the bytes of its JSON.
        final: whether the result is final; that of a scan that failed or was aborted is partial.
        date: when the result came, if that is known.
        name: what to call the scan beside another one.
    """

    content: Mapping[str, Any] | bytes
    final: bool
    date: datetime | None = None
    name: str = "second scan"

    def skymap(self) -> Skymap:
        """Make its map, without a floor.

        Raises:
            Unprocessable: it shows no direction.
        """
        return skymap(
            Result.read(orjson.loads(self.content) if isinstance(self.content, bytes) else self.content)
        )


@dataclass(frozen=True)
class File:
    """A product.

    Attributes:
        content: its bytes.
        media_type: what they are.
        name: of the file, as users keep it.
    """

    content: bytes
    media_type: str
    name: str


def made(
    product: Product,
    source: Source,
    options: Options,
    *,
    second: Source | None = None,
    more: Mapping[str, Any] | None = None,
) -> File:
    """Make a product; the same arguments give the same bytes.

    Args:
        product: what to make.
        source: of which result.
        options: those that the product has.
        second: of a picture, another scan whose regions and best fit are drawn, too.
        more: further fields of a summary.

    Raises:
        Unprocessable: the result is of no use for this product.
    """
    plain = source.skymap()
    if product is Product.SUMMARY:
        content = numbers.summary(plain, floor_deg=options.floor, final=source.final)
        return _json(content | dict(more or {}), names.json(plain, "summary"))
    spread = _with_floor(plain, options)
    if product is Product.FITS:
        return _fits(spread, source, options)
    if product is Product.CONTOURS:
        return _json(numbers.contours(spread, options.definition), names.json(plain, "contours"))
    if product is Product.MOC:
        return _moc(spread, options)
    if product is Product.NOTICE:
        return _json(notice(spread, final=source.final), names.json(plain, "gcn-notice"))
    image_format = Format(product)
    content_of_picture = picture(
        spread,
        image_format,
        view=options.view,
        frame=options.frame,
        width=options.width,
        definition=options.definition,
        final=source.final,
        second=None if second is None else _with_floor(second.skymap(), options),
        second_name="second scan" if second is None else second.name,
    )
    return File(content_of_picture, _PICTURES[image_format], names.picture(plain, options.view, image_format))


def _with_floor(plain: Skymap, options: Options) -> Skymap:
    return smoothed(plain, options.floor) if options.floor else plain


def _fits(skymap: Skymap, source: Source, options: Options) -> File:
    about: dict[str, Any] = {"final": source.final, "date": source.date, "creator": CREATOR}
    name = names.fits(skymap, options.values, options.nside)
    if options.nside is None:
        return File(fits.multiorder(skymap, options.values, **about), _GZIP, name)
    flat = fits.flat(skymap, options.values, options.nside, options.ordering, **about)
    return File(flat, _GZIP, name)


def _moc(skymap: Skymap, options: Options) -> File:
    (region,) = regions(skymap, options.definition, (options.level,))
    name = names.moc(skymap, options.definition, options.level, options.format)
    if options.format is MocFormat.FITS:
        return File(moc.moc_fits(skymap, region), _FITS, name)
    return _json(moc.moc_json(skymap, region), name)


def _json(content: Mapping[str, Any], name: str) -> File:
    return File(orjson.dumps(content), _JSON, name)
