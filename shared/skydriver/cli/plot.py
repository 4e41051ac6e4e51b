"""Draws a scan's result with icecube-skyreader: the full sky, and the region around the best fit.

skyreader saves PDFs (and, beside the zoomed one, FITS maps and contours) under names of its own. Here it
works in a temporary folder and each figure that it saves becomes a PNG; the rest is kept only if asked for.
"""

import contextlib
import logging
import math
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skydriver.cli.errors import CommandError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from skyreader import SkyScanResult

DPI = 200

# Loggers that warn about nothing that a user could change: data types of maps, a font cache being built.
_CHATTY_LOGGERS = ("healpy", "matplotlib")


@dataclass(frozen=True)
class Skymap:
    """What was drawn.

    Attributes:
        files: the files written, PNGs first.
        ra_deg: right ascension of the best fit, in degrees (0 to 360).
        dec_deg: declination of the best fit, in degrees.
        omitted: why there is no zoomed plot; None if there is one.
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
    with _quiet(), tempfile.TemporaryDirectory(prefix="skydriver-plot-") as folder:
        result = _deserialize(skyscan_result)
        try:
            ra, dec = (math.degrees(float(angle)) for angle in result.best_dir)
            omitted = _draw(result, Path(folder), with_pdf=keep_all)
        except Exception as error:
            # skyreader, healpy and matplotlib raise whatever they happen to: the user wants to know which.
            raise CommandError(f"The plot failed: {type(error).__name__}: {error}") from error
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
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"This is no result that skyreader can read: {error!r}") from error


def _draw(result: "SkyScanResult", folder: Path, *, with_pdf: bool) -> str | None:
    """Draw into `folder`; answer why the zoomed plot was left out, if it was."""
    from matplotlib import pyplot
    from skyreader.plot import SkyScanPlotter

    # A little larger than matplotlib's own, so that the zoomed plot's legend leaves the contours free.
    look = pyplot.rc_context({"figure.figsize": (8.0, 6.4)})
    plotter = SkyScanPlotter(output_dir=folder)
    with look, _figures_as_png(with_pdf=with_pdf):
        try:
            plotter.create_plot(result)
            # skyreader leaves this figure open, and would draw the next one over it.
            pyplot.close("all")
            if len(result.nsides) < 2:
                # Measured: with one nside alone skyreader finds no contours and gives up.
                return f"the result has only nside {result.nsides[0]}, and zooming needs two"
            plotter.create_plot_zoomed(result, plot_bounding_box=True)
        finally:
            pyplot.close("all")
    return None


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
