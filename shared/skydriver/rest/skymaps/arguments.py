"""Arguments of the routes of skymaps: options from short lists (`skymap.options`)."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from skydriver.rest.arguments import ReadArguments
from skydriver.skymap.options import Options, choices, chosen


@dataclass(frozen=True)
class Choice:
    """Marks a field as an option; its value stays as it is written in the query."""

    option: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the value against the option's list."""
        return core_schema.no_info_after_validator_function(self._checked, core_schema.str_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """List what there is."""
        return {"type": "string", "enum": list(choices(self.option))}

    def _checked(self, text: str) -> str:
        chosen(self.option, text)
        return text


class ProductArguments(ReadArguments):
    """What every product takes."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    floor: Annotated[str, Choice("floor")] = Field(
        "0", description="sigma (degrees) of a Gaussian that the probability is convolved with"
    )

    @property
    def options(self) -> Options:
        """The options.

        Raises:
            InvalidArguments: two do not go together.
        """
        known = type(self).model_fields.keys() - {"include_deleted", "with_"}
        written = self.model_dump(include=known & self.model_fields_set, exclude_none=True)
        return Options.read(written, sorted(known))


class RegionsArguments(ProductArguments):
    """What products with regions take."""

    definition: Annotated[str, Choice("definition")] = Field(
        "probability",
        description="what a region is: the smallest one that holds so much of the probability, or where the "
        "likelihood is above a level (`wilks`; `ic160427a`: as before 2024)",
    )


class MocArguments(RegionsArguments):
    """The arguments of `GET /scan/SCAN_ID/moc`."""

    level: Annotated[str, Choice("level")] = Field("90", description="which region; percent, or 3 sigma")
    format: Annotated[str, Choice("format")] = Field("json", description="how it is written")


class FitsArguments(ProductArguments):
    """The arguments of `GET /scan/SCAN_ID/skymap.fits`."""

    values: Annotated[str, Choice("values")] = Field(
        "probability", description="probability density, or 2 (llh - least llh)"
    )
    nside: Annotated[str, Choice("nside")] | None = Field(
        None, description="of a flat map; without it, the map is multi-order"
    )
    ordering: Annotated[str, Choice("ordering")] | None = Field(
        None, description="of a flat map's pixels; default: nested"
    )


class PictureArguments(RegionsArguments):
    """The arguments of `GET /scan/SCAN_ID/skymap.png` and its like."""

    view: Annotated[str, Choice("view")] = Field(
        "zoom", description="the surroundings of the best fit, or the full sky"
    )
    frame: Annotated[str, Choice("frame")] = Field("equatorial", description="the coordinates")
    width: Annotated[str, Choice("width")] = Field("1200", description="in pixels")
    with_: str | None = Field(
        None,
        alias="with",
        pattern=r"^\w{1,64}$",
        description="the id of a second scan, whose contours and best fit are drawn, too",
    )
