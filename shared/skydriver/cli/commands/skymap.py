"""`plot`, `fits`, `contours`, `moc`, `notice` and `summary`: what is made of a scan's result."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from skydriver.cli.arguments import read_json_file
from skydriver.cli.commands.result import PARTIAL, fetch_result
from skydriver.cli.context import JsonOption, complete_scan_id, connect
from skydriver.cli.errors import WrongUsage
from skydriver.cli.plot import Skymap, plot_result
from skydriver.cli.products import OfResult, OfService, Source, checked, keep
from skydriver.cli.screen import clean, out, print_json, say
from skydriver.cli.tables import Column, show
from skydriver.skymap.options import choices

Scan = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE",
        help="A scan's id, or its beginning, or a file with its result.",
        autocompletion=complete_scan_id,
    ),
]
Folder = Annotated[
    Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where files go.", file_okay=False)
]
Deleted = Annotated[bool, typer.Option("--include-deleted", help="Even if the scan is deleted.")]


PICTURES = ("png", "svg", "pdf")


def _choice(option: str, text: str, *flags: str, default: str = "") -> Any:
    """Make an option whose values come from one of the short lists of `skymap.options`."""
    listed = ", ".join(choices(option))
    return typer.Option(
        *flags,
        help=f"{text}: {listed}{default and f'; default: {default}'}.",
        autocompletion=lambda: list(choices(option)),
    )


Floor = Annotated[str | None, _choice("floor", "Sigma (degrees) of a Gaussian floor of the probability")]
Definition = Annotated[str | None, _choice("definition", "What regions are")]


class Style(StrEnum):
    """How pictures look."""

    SKYDRIVER = "skydriver"
    SKYREADER = "skyreader"


def plot(
    ctx: typer.Context,
    scan: Scan,
    output: Folder = Path(),
    view: Annotated[str | None, _choice("view", "What to show", default="each in a file")] = None,
    frame: Annotated[str | None, _choice("frame", "Coordinates")] = None,
    width: Annotated[str | None, _choice("width", "In pixels")] = None,
    definition: Definition = None,
    floor: Floor = None,
    image_format: Annotated[
        str, typer.Option("--format", help="png, svg or pdf.", autocompletion=lambda: list(PICTURES))
    ] = "png",
    second: Annotated[
        str | None,
        typer.Option("--with", metavar="ID|FILE", help="A second scan, whose contours are drawn, too."),
    ] = None,
    style: Annotated[Style, typer.Option(help="skyreader: the older look, by icecube-skyreader.")] = (
        Style.SKYDRIVER
    ),
    keep_all: Annotated[
        bool, typer.Option("--all", help="With --style skyreader: keep its PDFs, FITS maps and contours too.")
    ] = False,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Draw a scan's skymap: the full sky, and the region around the best fit."""
    options = checked(
        {"view": view, "frame": frame, "width": width, "definition": definition, "floor": floor}
    )
    if image_format not in PICTURES:
        raise WrongUsage(f"--format must be one of png, svg, pdf, not {image_format!r}.")
    if style is Style.SKYREADER:
        if options or second is not None or image_format != "png":
            raise WrongUsage("--style skyreader has no other options than --all and --output.")
        _plot_by_skyreader(ctx, scan, output, keep_all=keep_all, deleted=include_deleted, as_json=as_json)
        return
    if keep_all:
        raise WrongUsage("--all goes with --style skyreader only.")
    with _source(ctx, scan, deleted=include_deleted, second=second) as (source, more):
        files = [
            keep(source.product(image_format, {**options, "view": shown, **more}), output)
            for shown in ([view] if view else ["full", "zoom"])
        ]
    _tell(files, as_json=as_json)


def fits(
    ctx: typer.Context,
    scan: Scan,
    output: Folder = Path(),
    values: Annotated[str | None, _choice("values", "What it holds")] = None,
    nside: Annotated[str | None, _choice("nside", "Of a flat map", default="multi-order")] = None,
    ordering: Annotated[str | None, _choice("ordering", "Of a flat map")] = None,
    floor: Floor = None,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Write a scan's skymap as a FITS file: multi-order, as the field exchanges it."""
    options = checked({"values": values, "nside": nside, "ordering": ordering, "floor": floor})
    _write(ctx, scan, "fits", options, output, deleted=include_deleted, as_json=as_json)


def contours(
    ctx: typer.Context,
    scan: Scan,
    output: Folder = Path(),
    definition: Definition = None,
    floor: Floor = None,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Write the lines around a scan's regions as JSON: rings in degrees."""
    options = checked({"definition": definition, "floor": floor})
    _write(ctx, scan, "contours", options, output, deleted=include_deleted, as_json=as_json)


def moc(
    ctx: typer.Context,
    scan: Scan,
    output: Folder = Path(),
    level: Annotated[str | None, _choice("level", "Which region")] = None,
    definition: Definition = None,
    floor: Floor = None,
    file_format: Annotated[str | None, _choice("format", "How it is written", "--format")] = None,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Write a region of a scan as a multi-order coverage map (MOC)."""
    options = checked({"level": level, "definition": definition, "floor": floor, "format": file_format})
    _write(ctx, scan, "moc", options, output, deleted=include_deleted, as_json=as_json)


def notice(
    ctx: typer.Context,
    scan: Scan,
    floor: Floor = None,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Print the draft of a GCN notice as JSON, and say what only people can fill in; it is sent nowhere.

    With --json, what is missing and the warnings are part of the JSON.
    """
    options = checked({"floor": floor})
    with _source(ctx, scan, deleted=include_deleted) as (source, _):
        found = orjson.loads(source.product("notice", options).content)
    if as_json:
        print_json(found)
        return
    print_json(found["notice"])
    for missing in found["missing"]:
        say(clean(f"missing: {missing['field']}: {missing['why']}; {missing['hint']}"), style="yellow")
    for warning in found["warnings"]:
        say(clean(warning["text"]), style="yellow")


def summary(
    ctx: typer.Context,
    scan: Scan,
    floor: Floor = None,
    include_deleted: Deleted = False,
    as_json: JsonOption = False,
) -> None:
    """Print what a scan's skymap says: best fit, errors, areas, and what to keep in mind."""
    options = checked({"floor": floor})
    with _source(ctx, scan, deleted=include_deleted) as (source, _):
        found = orjson.loads(source.product("summary", options).content)
    if as_json:
        print_json(found)
    else:
        tell_summary(found)


REGIONS = (
    Column("definition", lambda region: region["definition"]),
    Column("region", lambda region: "3sigma" if region["level"] == "3sigma" else f"{region['level']}%"),
    Column("RA", lambda region: _errors(region["ra_err_plus"], region["ra_err_minus"])),
    Column("Dec", lambda region: _errors(region["dec_err_plus"], region["dec_err_minus"])),
    Column("deg2", lambda region: "<1pixel" if region["less_than_a_pixel"] else f"{_area(region):.3g}"),
    Column("resolved", lambda region: "yes" if region["resolved"] else "no"),
)
"""Errors are in degrees of the coordinate."""


def tell_summary(found: Mapping[str, Any]) -> None:
    """Print the numbers of a skymap for people."""
    best = found["best_fit"]
    galactic = f"l {best['l']:.2f}°, b {best['b']:+.2f}°"
    out.print(f"best fit: RA {best['ra']:.2f}°, Dec {best['dec']:+.2f}° ({galactic})")
    show(
        REGIONS,
        [
            {"definition": definition, **region}
            for definition, of_definition in found["definitions"].items()
            for region in of_definition["regions"]
        ],
    )
    for note in found["notes"]:
        say(clean(note["text"]), style="yellow")


def _area(region: Mapping[str, Any]) -> float:
    """Inside of its contour, as pictures show it and IceCube publishes it; of the region without one."""
    inside = region["contour_area_deg2"]
    return float(region["area_deg2"] if inside is None else inside)


def _errors(plus: float | None, minus: float | None) -> str | None:
    return None if plus is None or minus is None else f"+{plus:.2f}/-{minus:.2f}"


def _write(
    ctx: typer.Context,
    scan: str,
    product: str,
    options: Mapping[str, str],
    output: Path,
    *,
    deleted: bool,
    as_json: bool,
) -> None:
    with _source(ctx, scan, deleted=deleted) as (source, _):
        _tell([keep(source.product(product, options), output)], as_json=as_json)


def _tell(files: list[Path], *, as_json: bool) -> None:
    if as_json:
        print_json({"files": [str(path) for path in files]})
    else:
        for path in files:
            say(f"wrote {path}")


@contextmanager
def _source(
    ctx: typer.Context, scan: str, *, deleted: bool, second: str | None = None
) -> Iterator[tuple[Source, dict[str, str]]]:
    """Find what products come from, and the options that name the second scan."""
    if Path(scan).is_file():
        if second is not None and not Path(second).is_file():
            raise WrongUsage("--with must be a file, too, where the first result is one.")
        yield _of_file(Path(scan), second=None if second is None else Path(second)), {}
        return
    if second is not None and Path(second).is_file():
        raise WrongUsage("--with must be a scan's id, too, where the first one is.")
    with connect(ctx) as client:
        more = {} if second is None else {"with": client.whole_id(second)}
        yield OfService(client, client.whole_id(scan), include_deleted=deleted), more


def _of_file(path: Path, *, second: Path | None = None) -> OfResult:
    """Read a file of `skydriver result -o`, or one that holds the whole answer of GET result.

    Raises:
        WrongUsage: it holds no result.
    """
    document = read_json_file(path, "FILE")
    inner = document.get("skyscan_result", document)
    if not isinstance(inner, dict) or not inner:
        raise WrongUsage(f"{path} holds no result.")
    other = None if second is None else _of_file(second)
    return OfResult(inner, final=document.get("is_final", True) is True, second=other)


def _plot_by_skyreader(
    ctx: typer.Context, scan: str, output: Path, *, keep_all: bool, deleted: bool, as_json: bool
) -> None:
    if Path(scan).is_file():
        source = _of_file(Path(scan))
        skyscan_result = source.skyscan_result
        if not source.final:
            say(PARTIAL, style="yellow")
    else:
        with connect(ctx) as client:
            skyscan_result = fetch_result(client, client.whole_id(scan), include_deleted=deleted)[
                "skyscan_result"
            ]
    if not as_json:
        say("Drawing the skymap …")
    skymap = plot_result(skyscan_result, output, keep_all=keep_all)
    if as_json:
        print_json(_as_json(skymap))
        return
    out.print(f"best fit: RA {skymap.ra_deg:.2f}°, Dec {skymap.dec_deg:+.2f}°")
    for path in skymap.files:
        say(f"wrote {path}")
    if skymap.omitted:
        say(clean(skymap.omitted), style="yellow")


def _as_json(skymap: Skymap) -> dict[str, Any]:
    return {
        "best_fit": {"ra_deg": skymap.ra_deg, "dec_deg": skymap.dec_deg},
        "files": [str(path) for path in skymap.files],
        "omitted": skymap.omitted,
    }
