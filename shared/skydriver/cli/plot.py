"""Draws a scan's result with icecube-skyreader: the full sky, and the region around the best fit.

skyreader saves PDFs (and, beside the zoomed one, FITS maps and contours) under names of its own. Here it
works in a temporary folder and each figure that it saves becomes a PNG; the rest is kept only if asked for.
"""

import contextlib
import logging
import math
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skydriver.cli.errors import CommandError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from skyreader import SkyScanResult

DPI = 200
LARGEST_FIRST_NSIDE = 64
"""Of a scan of a part of the sky: skyreader draws the rest of it pixel by pixel."""
OUTERMOST = 11.83
"""2 * delta llh of the largest region that skyreader draws (3 sigma, Wilks' theorem)."""
NEAR_POLE_DEG = 80.0
"""Beyond this declination skyreader's areas, and a map of RA and declination, go wrong."""

# Loggers that warn about nothing that a user could change: data types of maps, a font cache being built.
_CHATTY_LOGGERS = ("healpy", "matplotlib")


@dataclass(frozen=True)
class Skymap:
    """What was drawn.

    Attributes:
        files: the files written, PNGs first.
        ra_deg: right ascension of the best fit, in degrees (0 to 360).
        dec_deg: declination of the best fit, in degrees.
        omitted: which plot is missing and why; None if both are there.
    """

    files: tuple[Path, ...]
    ra_deg: float
    dec_deg: float
    omitted: str | None


def plot_result(skyscan_result: Mapping[str, Any], out: Path, *, keep_all: bool = False) -> Skymap:
    """Draw a serialized result (`nside-N` -> columns, data, metadata) into PNG files in `out`.

    Args:
        skyscan_result: as GET result holds it under `skyscan_result`.
        out: folder for the files, made if missing.
        keep_all: also keep skyreader's PDFs, FITS maps and contours.

    Raises:
        CommandError: plotting is not installed, or the result cannot be read or drawn, or `out` cannot
            be written.
    """
    if not skyscan_result:
        raise CommandError("There is nothing to plot yet: the result is empty.")
    with _own_backend(), _quiet(), tempfile.TemporaryDirectory(prefix="skydriver-plot-") as folder:
        drawable = _drawable(skyscan_result)
        result = _deserialize(drawable)
        ra, dec = (math.degrees(float(angle)) for angle in result.best_dir)
        omitted = _draw(result, Path(folder), with_pdf=keep_all, no_zoom=_why_no_zoom(drawable))
        try:
            files = tuple(_keep(Path(folder), out, keep_all))
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}") from error
    return Skymap(files, ra % 360.0, dec, omitted)


def _deserialize(skyscan_result: Mapping[str, Any]) -> "SkyScanResult":
    try:
        from skyreader import SkyScanResult
    except ImportError as error:
        raise CommandError(f"Plotting needs `pip install 'skydriver[plot]'` ({error}).") from error
    try:
        return SkyScanResult.deserialize(dict(skyscan_result))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise CommandError(f"This is no result that skyreader can read: {error!r}") from error


def _drawable(skyscan_result: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out pixels without a finite likelihood, or skyreader finds the best fit elsewhere.

    Raises:
        CommandError: it is no result, or no pixel has a likelihood, or it is too large to be drawn.
    """
    drawable: dict[str, Any] = {}
    try:
        for name, part in skyscan_result.items():
            llh = part["columns"].index("llh")
            rows = [row for row in part["data"] if _is_finite(row[llh])]
            if rows:
                # The type becomes a part of files' names.
                kind = re.sub(r"[^\w.+-]+", "_", str(part["metadata"]["event_type"]), flags=re.ASCII)
                drawable[name] = {**part, "data": rows, "metadata": {**part["metadata"], "event_type": kind}}
        first = min((part["metadata"]["nside"] for part in drawable.values()), default=0)
        is_whole = not first or len(skyscan_result[f"nside-{first}"]["data"]) >= 12 * first**2
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CommandError(f"This is no result that skyreader can read: {error!r}") from error
    if not drawable:
        raise CommandError("There is nothing to plot: no pixel has a likelihood.")
    if not is_whole and first > LARGEST_FIRST_NSIDE:
        raise CommandError(
            f"The plot would take too long: its first nside is {first} and holds a part of the sky only; up "
            f"to {LARGEST_FIRST_NSIDE} it can be drawn."
        )
    return drawable


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _why_no_zoom(drawable: Mapping[str, Any]) -> str | None:
    """Say why the region around the best fit cannot be drawn rightly; None if it can."""
    import healpy

    if len(drawable) < 2:
        # Measured: with one nside alone skyreader finds no contours and gives up.
        [part] = drawable.values()
        return f"the result has only nside {part['metadata']['nside']}, and zooming needs two"
    pixels = [
        (row[part["columns"].index("llh")], part["metadata"]["nside"], row[0])
        for part in drawable.values()
        for row in part["data"]
    ]
    best = min(llh for llh, _, _ in pixels)
    for llh, nside, index in pixels:
        if 2 * (llh - best) <= OUTERMOST:
            _, dec = healpy.pix2ang(nside, index, lonlat=True)
            if abs(dec) > NEAR_POLE_DEG:
                return "its region reaches too near to a pole, where areas and shapes would be wrong"
    return None


def _draw(result: "SkyScanResult", folder: Path, *, with_pdf: bool, no_zoom: str | None) -> str | None:
    """Draw into `folder` what can be drawn; answer what was left out and why, if anything was.

    Raises:
        CommandError: nothing could be drawn.
    """
    import matplotlib
    from matplotlib import pyplot
    from skyreader.plot import SkyScanPlotter

    plotter = SkyScanPlotter(output_dir=folder)
    pictures: dict[str, Callable[[], None]] = {"full-sky": lambda: plotter.create_plot(result)}
    omitted = {} if no_zoom is None else {"zoomed": no_zoom}
    if no_zoom is None:
        pictures["zoomed"] = lambda: plotter.create_plot_zoomed(result, plot_bounding_box=True)
    with pyplot.rc_context(), _figures_as_png(with_pdf=with_pdf), _quick_filling():
        # Whatever a matplotlibrc of the user's says. A little larger than matplotlib's own, so that the
        # zoomed plot's legend leaves the contours free.
        matplotlib.rcdefaults()
        pyplot.rcParams["figure.figsize"] = (8.0, 6.4)
        for name, draw in pictures.items():
            before = set(folder.iterdir())
            try:
                draw()
            except Exception as error:
                # skyreader, healpy and matplotlib raise whatever they happen to: users want to know which.
                omitted[name] = f"it could not be drawn ({type(error).__name__}: {error})"
                for path in set(folder.iterdir()) - before:
                    path.unlink()
            finally:
                # skyreader leaves a figure open, and would draw the next one over it.
                pyplot.close("all")
    if len(omitted) == 2:
        raise CommandError(f"The plot failed: {omitted['full-sky']}")
    return next((f"no {name} plot: {reason}" for name, reason in omitted.items()), None)


@contextlib.contextmanager
def _own_backend() -> Iterator[None]:
    """Draw into files: a backend that the shell names for its notebook may not even be there."""
    given = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "Agg"
    try:
        yield
    finally:
        if given is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = given


class _Indexed(list[Any]):
    """A list that looks up what is in it at once."""

    def __init__(self, items: Iterable[Any]) -> None:
        super().__init__(items)
        self._index = set(self)

    def __contains__(self, item: object) -> bool:
        return item in self._index

    def append(self, item: Any) -> None:
        self._index.add(item)
        super().append(item)


@contextlib.contextmanager
def _quick_filling() -> Iterator[None]:
    """Within it, skyreader fills up a first nside in linear time: it looks each pixel up in a list of all."""
    from skyreader.utils import handle_map_data

    original = handle_map_data._fill_first_nside_empty

    def fill(nside: int, result: "SkyScanResult", grid_map: dict[Any, Any], uniq_list: list[Any]) -> Any:
        return original(nside, result, grid_map, _Indexed(uniq_list))

    handle_map_data._fill_first_nside_empty = fill
    try:
        yield
    finally:
        handle_map_data._fill_first_nside_empty = original


@contextlib.contextmanager
def _figures_as_png(*, with_pdf: bool) -> Iterator[None]:
    """Within it, a figure saved as `X.pdf` becomes `X.png` (and the PDF, if asked for)."""
    from matplotlib.figure import Figure

    original = Figure.savefig

    def savefig(figure: "Figure", name: Path, **options: Any) -> None:
        _mend(figure)
        if with_pdf:
            original(figure, name, **options)
        options |= {"dpi": DPI, "transparent": False, "bbox_inches": "tight", "pad_inches": 0.1}
        original(figure, Path(name).with_suffix(".png"), **options)

    Figure.savefig = savefig  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Figure.savefig = original  # type: ignore[method-assign]


def _mend(figure: "Figure") -> None:
    """Put right what skyreader 1.6 and current matplotlib make of a figure together."""
    from skyreader.plot.plotting_tools import AstroMollweideAxes

    for axes in figure.axes:
        if isinstance(axes, AstroMollweideAxes):
            # skyreader sets the limits 0 to 360 degrees in `cla`, which matplotlib no longer calls: half of
            # the meridians and their hours would be missing.
            axes.set_xlim(0.0, 2 * math.pi)  # type: ignore[no-untyped-call]
            # The title has a place of its own above the ellipse.
            figure.suptitle(figure.get_suptitle(), fontsize=10, y=1.0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what skyreader prints and the known harmless warnings; errors still come through."""
    levels = {name: logging.getLogger(name).level for name in _CHATTY_LOGGERS}
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        # FITS keywords of more than eight characters, in the headers that skyreader writes.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.filterwarnings("ignore", message="Keyword name .* is greater than 8 characters")
        for name in _CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _keep(folder: Path, out: Path, keep_all: bool) -> Iterator[Path]:
    """Move what is to stay into `out`, PNGs first, under names that say which is which."""
    out.mkdir(parents=True, exist_ok=True)
    names = {_clear_name(path): path for path in folder.iterdir() if keep_all or path.suffix == ".png"}
    for name in sorted(names, key=lambda n: (not n.endswith(".png"), n)):
        yield Path(shutil.move(names[name], out / name))


def _clear_name(path: Path) -> str:
    if path.suffix != ".png":
        return path.name
    stem, dot, _ = path.stem.partition(".plot_zoomed")
    return f"{stem}.zoomed.png" if dot else f"{stem}.full-sky.png"
