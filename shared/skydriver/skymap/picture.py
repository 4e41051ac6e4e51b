"""Pictures of a map: PNG, SVG or PDF, of the whole sky or around the best fit.

As the field is used to see them: east is left, RA 12 h in the middle of the sky, light is likely, a star at
the best fit. Lines are told apart by colour, style and a label, with a white casing, and colours are those
of Okabe and Ito, so that they can be read with any kind of colour vision. The same arguments give the same
bytes.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skydriver.skymap import views
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.options import Coordinates, View
from skydriver.skymap.probability import NEVER, Skymap
from skydriver.skymap.regions import Region, regions
from skydriver.skymap.sphere import (
    ICRS_TO_GALACTIC,
    Floats,
    cell_width,
    centres,
    degrees_of,
    separations,
    vectors_of,
)
from skydriver.skymap.summary import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple[str, str | tuple[int, tuple[float, ...]]]

LINES: dict[Level, Line] = {
    Level.L50: ("#000000", "solid"),
    Level.L90: ("#D55E00", (0, (5.0, 2.0))),
    Level.L3SIGMA: ("#0072B2", (0, (1.2, 1.6))),
}
SECOND_LINES: dict[Level, Line] = {
    Level.L50: ("#CC79A7", "solid"),
    Level.L90: ("#CC79A7", (0, (5.0, 2.0))),
}
UNSCANNED = "#D9D9D9"
COLOURS = "viridis"
DEPTH = 40.0
"""The range of colours around the best fit, in TS: the last colour stands for all beyond."""
NARROWEST_DEG, WIDEST_DEG = 1.0, 15.0


class Format(StrEnum):
    """The format of a picture."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"


def picture(
    skymap: Skymap,
    image_format: Format,
    *,
    view: View = View.ZOOM,
    frame: Coordinates = Coordinates.EQUATORIAL,
    width: int = 1200,
    definition: Definition = Definition.PROBABILITY,
    final: bool = True,
    second: Skymap | None = None,
    second_name: str = "second scan",
) -> bytes:
    """Draw a map.

    Args:
        skymap: the map; with a floor only for `probability`.
        image_format: what to write.
        view: the whole sky, or the surroundings of the best fit.
        frame: the coordinates.
        width: in pixels; SVG and PDF are 12 inches wide, with images of so many pixels.
        definition: what regions are.
        final: whether the result is final; that of a scan that failed or was aborted is partial.
        second: the map of another scan, whose regions and best fit are drawn, too.
        second_name: what to call it.

    Raises:
        InvalidArguments: the definition knows no floor.
    """
    found = regions(skymap, definition)
    others = []
    if second is not None:
        others = [region for region in regions(second, definition) if region.level in SECOND_LINES]
    with _own_style():
        from matplotlib.figure import Figure

        shape = (12.0, 8.2) if view is View.ZOOM else (12.0, 7.4)
        figure = Figure(figsize=shape, dpi=width / shape[0])
        drawing = _Drawing(figure, skymap, found, frame, definition, final, second, others, second_name)
        drawing.zoom() if view is View.ZOOM else drawing.full_sky()
        written = io.BytesIO()
        figure.savefig(written, format=image_format, metadata=_METADATA[image_format])
        return written.getvalue()


_CORNERS: tuple[tuple[bool, Literal["lower left", "lower right"], float], ...] = (
    (False, "lower right", 0.985),
    (True, "lower left", 0.02),
)

# Without the time of writing and the versions of libraries.
_METADATA: dict[Format, dict[str, Any]] = {
    Format.PNG: {"Software": None},
    Format.SVG: {"Date": None, "Creator": "SkyDriver"},
    Format.PDF: {"CreationDate": None, "Creator": "SkyDriver", "Producer": None},
}


@contextmanager
def _own_style() -> Iterator[None]:
    """Draw as we say, whatever the settings of this machine's user are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": "skydriver", "font.size": 10.5, "text.parse_math": False})
        yield


class _Drawing:
    """One picture in the making."""

    def __init__(
        self,
        figure: "Figure",
        skymap: Skymap,
        found: Sequence[Region],
        coordinates: Coordinates,
        definition: Definition,
        final: bool,
        second: Skymap | None,
        others: Sequence[Region],
        second_name: str,
    ) -> None:
        self.figure = figure
        self.skymap = skymap
        self.regions = found
        self.coordinates = coordinates
        self.definition = definition
        self.final = final
        self.second = second
        self.others = others
        self.second_name = second_name
        self.best: Floats = skymap.centres[skymap.best]

    # --- the whole sky

    def full_sky(self) -> None:
        view = views.FullSky(self.coordinates)
        axes = self.figure.add_axes((0.03, 0.14, 0.94, 0.74))
        _bare(axes, view)
        llh = np.where(np.isfinite(self.skymap.llh), 2.0 * self.skymap.llh, np.nan)
        low, high = float(np.nanmin(llh)), float(np.nanmax(llh))
        image = self._image(axes, view, llh, f"{COLOURS}_r", low, high if high > low else low + 1.0)
        border = np.concatenate((view.meridian(-180.0), view.meridian(180.0)[::-1]))
        (rim,) = axes.fill(*border.T, facecolor="none", edgecolor="#333333", linewidth=1.0, zorder=4)
        image.set_clip_path(rim)
        self._stars(axes, view)
        self._contours(axes, view, self.regions, LINES, scale=0.7)
        self._contours(axes, view, self.others, SECOND_LINES, scale=0.7)
        self._full_sky_graticule(axes, view)
        bar = self.figure.add_axes((0.37, 0.085, 0.31, 0.022))
        ticks = [low, high] if high > low else [low]
        colours = self.figure.colorbar(image, cax=bar, orientation="horizontal", ticks=ticks)
        colours.ax.set_xticklabels([f"{tick:.1f}" for tick in ticks])
        colours.set_label("-2 ln L", labelpad=-8)
        self.figure.text(0.5, 0.955, self._title(), ha="center", va="center", fontsize=14)
        self.figure.text(0.5, 0.915, self._subtitle(), ha="center", va="center", color="#444444")
        self.figure.text(0.03, 0.955, _name(self.coordinates), ha="left", va="center", color="#444444")
        self._full_sky_legends(axes)

    def _full_sky_legends(self, axes: "Axes") -> None:
        """Name what is drawn: this scan's to the right of the colour bar, the other's to the left."""
        handles, labels = axes.get_legend_handles_labels()
        other = [label.startswith(f"{self.second_name}: ") for label in labels]
        for second, corner, x in _CORNERS:
            shown = [index for index, of_other in enumerate(other) if of_other == second]
            if shown:
                legend = self.figure.legend(
                    [handles[index] for index in shown],
                    [labels[index] for index in shown],
                    loc=corner,
                    bbox_to_anchor=(x, 0.01),
                    frameon=False,
                    fontsize=10,
                    handlelength=2.6,
                )
                legend.set_zorder(9)

    def _full_sky_graticule(self, axes: "Axes", view: views.FullSky) -> None:
        casing = _casing(2.5)
        galactic = self.coordinates is Coordinates.GALACTIC
        for offset in range(-150, 180, 30):
            axes.plot(*view.meridian(offset).T, color="#555555", linewidth=0.5, alpha=0.7, zorder=3)
            longitude = (view.middle_deg + offset) % 360.0
            text = f"{longitude:.0f}°" if galactic else f"{longitude / 15.0:.0f}h"
            x, y = view.project(view.graticule(longitude, 0.0))
            axes.text(x, y - 0.02, text, ha="center", va="top", fontsize=9.5, path_effects=casing, zorder=6)
        for latitude in range(-60, 90, 30):
            at = view.graticule(view.middle_deg + np.linspace(-179.999, 179.999, 361), float(latitude))
            points = view.project(at)
            axes.plot(*points.T, color="#555555", linewidth=0.5, alpha=0.7, zorder=3)
            if latitude:
                x, y = points[-1]
                axes.text(x - 0.04, y, f"{latitude:+d}°", ha="right", va="center", fontsize=9.5, zorder=6)
        if not galactic:
            plane = view.line(vectors_of(np.linspace(0.0, 360.0, 721), 0.0) @ ICRS_TO_GALACTIC)
            axes.plot(*plane.T, color="white", linewidth=1.0, linestyle="dashdot", zorder=3)
            axes.plot([], [], color="#888888", linewidth=1.0, linestyle="dashdot", label="galactic plane")

    # --- around the best fit

    def zoom(self) -> None:
        view = views.Zoom(self.coordinates, self.best, self._half_width())
        axes = self.figure.add_axes((0.075, 0.175, 0.54, 0.54 * 12.0 / 8.2))
        _bare(axes, view)
        for side in axes.spines.values():
            side.set_visible(True)
        if self.definition is Definition.PROBABILITY:
            # ln of the density per square degree, of which TS is twice the fall.
            values = self.skymap.log_density - 2.0 * math.log(math.degrees(1.0))
            values = values / math.log(10.0)
            high = float(values.max())
            low = high - DEPTH / 2.0 / math.log(10.0)
            image = self._image(axes, view, values, COLOURS, low, high)
            label = "log10 of the probability density (per square degree)"
        else:
            values = np.where(np.isfinite(self.skymap.llh), self.skymap.test_statistic, np.nan)
            depth = max(DEPTH, 1.25 * max(region.threshold for region in self.regions))
            image = self._image(axes, view, values, f"{COLOURS}_r", 0.0, depth)
            label = "-2 Δ ln L"
        self._stars(axes, view)
        self._contours(axes, view, self.regions, LINES, scale=1.0)
        self._contours(axes, view, self.others, SECOND_LINES, scale=1.0)
        self._box(axes, view)
        self._unknown(axes, view)
        self._zoom_graticule(axes, view)
        bar = self.figure.add_axes((0.075, 0.07, 0.54, 0.018))
        upward = self.definition is Definition.PROBABILITY
        colours = self.figure.colorbar(
            image, cax=bar, orientation="horizontal", extend="min" if upward else "max"
        )
        colours.set_label(label)
        self._panel(axes)

    def _half_width(self) -> float:
        """What holds the widest region with some room, and the second scan's best fit if it is near."""
        reach = [NARROWEST_DEG / 1.3]
        for region in (*self.regions, *self.others):
            for piece in region.pieces:
                reach.append(math.degrees(float(separations(piece.outer.vectors, self.best).max())))
        if self.second is not None:
            offset = math.degrees(float(separations(self.second.centres[self.second.best], self.best)))
            reach.append(offset)
        if any(region.pieces for region in self.regions):
            return min(1.3 * max(reach), WIDEST_DEG)
        pixel = math.degrees(float(cell_width(self.skymap.order[self.skymap.best])))
        return min(max(1.3 * max(reach), pixel), 60.0)

    def _zoom_graticule(self, axes: "Axes", view: views.Zoom) -> None:
        half = view.half_width
        _, middle = degrees_of(view.frame.middle)
        rim = np.linspace(-half, half, 101)
        inside = np.stack(np.meshgrid(rim, rim), axis=-1).reshape(-1, 2)
        longitude, latitude = degrees_of(view.directions(inside) @ view.rotation.T)
        size = math.degrees(half)
        step = _nice(size / 2.5)
        pole = float(np.abs(latitude).max()) > 89.0 or abs(float(middle)) + size > 89.5
        around = 30.0 if pole else _nice(size / 2.5 / math.cos(math.radians(float(middle))))
        away = (longitude - longitude[len(longitude) // 2] + 180.0) % 360.0 - 180.0
        first, last = (
            (0.0, 360.0 - around)
            if pole
            else (
                float(longitude[len(longitude) // 2] + away.min()),
                float(longitude[len(longitude) // 2] + away.max()),
            )
        )
        names = ("l", "b") if self.coordinates is Coordinates.GALACTIC else ("RA", "Dec")
        top = 90.0 - (step if pole else 0.0)
        edges = ((1, -half, "top"), (1, half, "bottom"), (0, -half, "right"), (0, half, "left"))
        for number in range(math.ceil(first / around - 1e-9), math.floor(last / around + 1e-9) + 1):
            at = number * around
            points = view.line(view.graticule(at, np.linspace(-top, top, 2001)))
            self._labelled(axes, points, half, _degrees(at % 360.0, around), edges[:4] if pole else edges[:2])
        for number in range(
            math.ceil(float(latitude.min()) / step), math.floor(float(latitude.max()) / step) + 1
        ):
            at = number * step
            if abs(at) < 90.0:
                points = view.line(view.graticule(np.linspace(0.0, 360.0, 2001), at))
                self._labelled(axes, points, half, _degrees(at, step, sign=True), edges[2:])
        axes.text(0.5, -0.04, f"{names[0]} (deg)", transform=axes.transAxes, ha="center", va="top")
        axes.text(
            -0.095, 0.5, f"{names[1]} (deg)", transform=axes.transAxes, ha="right", va="center", rotation=90
        )
        axes.text(
            0.985,
            0.015,
            _name(self.coordinates),
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=9.5,
            path_effects=_casing(2.5),
            zorder=8,
        )

    def _labelled(
        self, axes: "Axes", points: Floats, half: float, text: str, edges: Sequence[tuple[int, float, str]]
    ) -> None:
        """Draw a line of the graticule, and write its coordinate where it leaves the picture.

        Args:
            axes: where to draw.
            points: of the line.
            half: half the width of the picture.
            text: the coordinate.
            edges: where to write it, the first that is crossed: axis, place, and side of the text.
        """
        axes.plot(*points.T, color="white", linewidth=0.6, alpha=0.55, linestyle=(0, (1.0, 2.5)), zorder=3)
        for axis, edge, side in edges:
            across = points[:, axis] - edge
            crossing = np.flatnonzero(
                (across[:-1] * across[1:] < 0) & (np.abs(points[:-1, 1 - axis]) <= half)
            )
            if crossing.size:
                before, after = points[crossing[0]], points[crossing[0] + 1]
                part = (edge - before[axis]) / (after[axis] - before[axis])
                place = before + part * (after - before)
                axes.annotate(
                    text,
                    (float(place[0]), float(place[1])),
                    {"top": (0, -4), "bottom": (0, 4), "right": (-4, 0), "left": (4, 0)}[side],
                    textcoords="offset points",
                    ha=side if axis == 0 else "center",
                    va=side if axis == 1 else "center",
                    fontsize=9.5,
                    annotation_clip=False,
                )
                return
        # A circle around a pole may lie within the picture.
        within = np.flatnonzero(np.all(np.abs(points) < 0.97 * half, axis=1))
        if within.size == len(points):
            x, y = points[np.argmin(points[:, 1])]
            axes.text(x, y, text, ha="center", va="center", fontsize=9.5, path_effects=_casing(2.5), zorder=6)

    def _box(self, axes: "Axes", view: views.Zoom) -> None:
        """The rectangle of the errors of the 90 % region, along RA and Dec; a cap, or a zone, of any RA."""
        region = next((one for one in self.regions if one.level is Level.L90), None)
        errors = region and (
            region.ra_err_plus,
            region.ra_err_minus,
            region.dec_err_plus,
            region.dec_err_minus,
        )
        if not region or not errors or any(error is None for error in errors):
            return
        east, west, up, down = (error for error in errors if error is not None)
        ra, dec = (float(angle) for angle in degrees_of(self.best))
        part = np.linspace(0.0, 1.0, 100)
        if region.any_ra:
            edges = {"north": [dec - down], "south": [dec + up], None: [dec - down, dec + up]}
            turn = 360.0 * np.linspace(0.0, 1.0, 400)
            outlines = [vectors_of(turn, edge) for edge in edges[region.contains_pole]]
        else:
            sides = [
                (ra - west + (east + west) * part, np.full(100, dec - down)),
                (np.full(100, ra + east), dec - down + (up + down) * part),
                (ra + east - (east + west) * part, np.full(100, dec + up)),
                (np.full(100, ra - west), dec + up - (up + down) * part),
            ]
            outlines = [np.concatenate([vectors_of(*side) for side in sides])]
        gap = np.full((1, 2), np.nan)
        points = np.concatenate([part for outline in outlines for part in (view.line(outline), gap)])
        axes.plot(
            *points.T,
            color=LINES[Level.L90][0],
            linewidth=1.2,
            linestyle=(0, (2.0, 2.0)),
            path_effects=_casing(1.8),
            zorder=4,
            label="90 % errors in RA and Dec",
        )

    def _unknown(self, axes: "Axes", view: views.Zoom) -> None:
        """Mark pixels that were scanned and have no likelihood."""
        places = [
            centres(np.full(np.count_nonzero(~level.finite), level.order), level.nest[~level.finite])
            for level in self.skymap.levels
        ]
        points = view.project(np.concatenate(places))
        points = points[np.all(np.abs(points) < view.half_width, axis=1)]
        if len(points):
            axes.plot(
                *points.T,
                "x",
                color="#E69F00",
                markersize=4,
                markeredgewidth=1.0,
                zorder=4,
                label="no likelihood",
                path_effects=_casing(1.8),
            )

    def _panel(self, axes: "Axes") -> None:
        """What the picture shows, in words and numbers, beside it."""
        x = 0.655
        figure = self.figure
        figure.text(x, 0.963, self._title(separator="\n"), va="top", fontsize=14, linespacing=1.35)
        figure.text(x, 0.885, self._subtitle(separator="\n"), va="top", color="#444444", linespacing=1.45)
        ra, dec = (float(angle) for angle in degrees_of(self.best))
        longitude, latitude = (float(angle) for angle in degrees_of(ICRS_TO_GALACTIC @ self.best))
        rows = [f"RA  {ra:8.3f}°", f"Dec {dec:+8.3f}°", f"l   {longitude:8.3f}°", f"b   {latitude:+8.3f}°"]
        region = next((one for one in self.regions if one.level is Level.L90), None)
        if region and region.ra_err_plus is not None:
            around = f"+{region.ra_err_plus:.2f} -{region.ra_err_minus:.2f}"
            rows[0] += f"  {'any RA' if region.any_ra else around}  (90 %)"
            rows[1] += f"  +{region.dec_err_plus:.2f} -{region.dec_err_minus:.2f}  (90 %)"
        figure.text(x, 0.735, "\n".join(rows), va="top", family="monospace", fontsize=10, linespacing=1.5)
        if notes := self._notes():
            figure.text(x, 0.06, "\n".join(notes), va="bottom", color="#A03000", linespacing=1.4)
        legend = axes.legend(
            loc="upper left",
            bbox_to_anchor=(x - 0.01, 0.61),
            bbox_transform=figure.transFigure,
            frameon=False,
            handlelength=3.2,
            labelspacing=0.7,
            title=self._legend_title(),
            alignment="left",
        )
        legend.get_title().set_fontweight("bold")

    # --- what both have

    def _image(
        self, axes: "Axes", view: views.View, values: Floats, colours: str, low: float, high: float
    ) -> Any:
        """Paint cells; grey where nothing was scanned."""
        import matplotlib

        across = axes.get_window_extent()
        columns, rows = (max(round(size), 2) for size in (across.width, across.height))
        x = (np.arange(columns) + 0.5) / columns * 2.0 - 1.0
        y = (np.arange(rows) + 0.5) / rows * 2.0 - 1.0
        points = np.stack(np.meshgrid(x * view.half_width, y * view.half_height), axis=-1)
        vectors = view.directions(points)
        sky = np.isfinite(vectors).all(axis=-1)
        shown = np.full(sky.shape, np.nan)
        at = self.skymap.cells_at(vectors[sky])
        painted = np.where((self.skymap.scanned == NEVER) & ~(self.skymap.density > 0.0), np.nan, values)
        shown[sky] = painted[at]
        if np.isnan(shown[sky]).any():
            axes.fill([], [], facecolor=UNSCANNED, edgecolor="#999999", label="not scanned")
        map_colours = matplotlib.colormaps[colours].with_extremes(bad=UNSCANNED)
        return axes.imshow(
            np.ma.masked_invalid(np.where(np.isneginf(shown), low, shown)),
            origin="lower",
            cmap=map_colours,
            vmin=low,
            vmax=high,
            interpolation="nearest",
            aspect="auto",
            zorder=1,
            extent=(-view.half_width, view.half_width, -view.half_height, view.half_height),
        )

    def _contours(
        self,
        axes: "Axes",
        view: views.View,
        found: Sequence[Region],
        lines: dict[Level, Line],
        *,
        scale: float,
    ) -> None:
        second = lines is SECOND_LINES
        for region in reversed(found):
            colour, style = lines[region.level]
            for piece in region.pieces:
                for ring in (piece.outer, *piece.holes):
                    points = view.line(ring.vectors).T
                    axes.plot(*points, color="white", linewidth=4.0 * scale, alpha=0.85, zorder=4.5)
                    axes.plot(*points, color=colour, linestyle=style, linewidth=2.2 * scale, zorder=5)
            if not second and isinstance(view, views.Zoom):
                self._name_line(axes, view, region, colour)
        for region in found:
            colour, style = lines[region.level]
            name = f"{self.second_name}: " if second else ""
            label = name + area_words(region)
            axes.plot([], [], color=colour, linestyle=style, linewidth=2.2, label=label)

    def _name_line(self, axes: "Axes", view: views.Zoom, region: Region, colour: str) -> None:
        """Write the level onto the line, where there is room for it."""
        if not region.pieces:
            return
        points = view.project(region.pieces[0].outer.vectors)
        if np.ptp(points[:, 0]) < 0.16 * view.half_width:
            return
        direction = {Level.L50: (0.0, 1.0), Level.L90: (0.0, -1.0), Level.L3SIGMA: (1.0, 1.0)}[region.level]
        inside = points[np.all(np.abs(points) < 0.95 * view.half_width, axis=1)]
        if len(inside):
            x, y = inside[np.argmax(inside @ np.array(direction))]
            axes.text(
                x,
                y,
                title(region.level),
                color=colour,
                ha="center",
                va="center",
                fontsize=9.5,
                fontweight="bold",
                path_effects=_casing(3.0),
                zorder=7,
            )

    def _stars(self, axes: "Axes", view: views.View) -> None:
        marker: dict[str, Any] = {
            "markeredgecolor": "white",
            "markeredgewidth": 1.0,
            "linestyle": "none",
            "zorder": 8,
        }
        x, y = view.project(self.best)
        axes.plot(x, y, marker="*", color="black", markersize=13, label="best fit", **marker)
        if self.second is not None:
            other = self.second.centres[self.second.best]
            offset = math.degrees(float(separations(other, self.best)))
            x, y = view.project(other)
            name = f"{self.second_name}: best fit, {offset:.2f}° away"
            if max(abs(float(x)) / view.half_width, abs(float(y)) / view.half_height) > 1.0:
                x, y = np.nan, np.nan
                name += " (outside)"
            axes.plot(x, y, marker="D", color="#CC79A7", markersize=7, label=name, **marker)

    def _title(self, separator: str = "    ") -> str:
        event = self.skymap.event
        parts = []
        if event.run_id is not None:
            parts.append(f"Run {event.run_id}")
        if event.event_id is not None:
            parts.append(f"Event {event.event_id}")
        return separator.join(parts) or "Event without a number"

    def _subtitle(self, separator: str = "    ") -> str:
        event = self.skymap.event
        parts = [_plain(event.event_type)] if event.event_type else []
        if (time := event.time()) is not None:
            parts.append(f"{time[:19].replace('T', ' ')} UTC")
        if event.mjd is not None:
            parts.append(f"MJD {event.mjd:.6f}")
        nsides = ", ".join(str(level.nside) for level in self.skymap.levels)
        parts.append(f"nside {nsides}")
        if event.is_real_event is False:
            parts.append("simulated event")
        if not self.final:
            parts.append("partial result")
        return separator.join(parts)

    def _legend_title(self) -> str:
        floor = self.skymap.floor_deg
        name = {
            Definition.PROBABILITY: "Regions of probability",
            Definition.WILKS: "Regions by Wilks' theorem",
            Definition.IC160427A: "Regions by IC160427A's levels",
        }[self.definition]
        return f"{name}, floor {floor:g}°" if floor else name

    def _notes(self) -> list[str]:
        region = next((one for one in self.regions if one.level is Level.L90), None)
        notes = [] if self.final else ["Partial: the scan had not finished."]
        if region is None:
            return notes
        if region.single_cell:
            notes.append("90 %: less than one pixel.")
        elif not region.pieces:
            notes.append("90 %: too wide for a line.")
        if region.touches_coarser:
            notes.append("90 %: has or touches coarser pixels.")
        if region.clipped:
            notes.append("90 %: touches sky that was not scanned.")
        if not region.single_cell and not region.resolved and not region.touches_coarser:
            notes.append(f"90 %: only {region.pixels} pixels, numbers are rough.")
        return notes


def _bare(axes: "Axes", view: views.View) -> None:
    axes.set_xlim(-view.half_width, view.half_width)
    axes.set_ylim(-view.half_height, view.half_height)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_autoscale_on(False)
    axes.patch.set_alpha(0.0)
    for side in axes.spines.values():
        side.set_visible(False)


def _casing(width: float) -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white")]


def _name(coordinates: Coordinates) -> str:
    return "Galactic" if coordinates is Coordinates.GALACTIC else "Equatorial (ICRS)"


def area_words(region: Region) -> str:
    """Write the area inside a region's contour, as IceCube publishes it; without one, the region's area."""
    kind, area = "contour", region.contour_area_deg2
    if area is None:
        kind, area = "region", region.area_deg2
    number = f"{area:#.3g} deg²" if area < 99.95 else f"{area:.0f} deg²"
    return f"{title(region.level)} {kind}   {'less than one pixel' if region.single_cell else number}"


def _plain(text: str) -> str:
    """A text from outside: one line of what can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:40]


def _nice(about: float) -> float:
    """A round step (degrees) near a size."""
    steps = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
    return min(steps, key=lambda step: abs(math.log(step / about)))


def _degrees(angle: float, step: float, *, sign: bool = False) -> str:
    digits = 0 if step >= 1.0 else 2 if round(step * 100) % 10 else 1
    return f"{angle:+.{digits}f}°" if sign and angle else f"{angle:.{digits}f}°"
