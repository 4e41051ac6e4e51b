"""The argument that says which fields of a manifest an answer holds, and its company in changes of a scan.

A module of its own: routes that read need it, and not the large models of submissions, which take time to
load.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from skydriver.model.fields import Boolean


def projection_list(value: Any) -> Any:
    """Take a projection as a list of names, or as one string: names separated by commas, or by `|` (v2)."""
    if isinstance(value, str):
        return [name.strip() for name in value.replace("|", ",").split(",") if name.strip()]
    return value


Projection = Annotated[
    list[str], BeforeValidator(projection_list, json_schema_input_type=list[str] | str), Field(max_length=100)
]


class ProjectionArguments(BaseModel):
    """The argument that says which manifest fields an answer holds, under both of its names."""

    # Built when first used: a function's module holds more models than the function takes.
    model_config = ConfigDict(extra="forbid", defer_build=True)

    manifest_projection: Projection | None = None
    projection: Projection | None = None

    @property
    def fields(self) -> list[str] | None:
        """The fields asked for, or None for the route's default."""
        return self.manifest_projection if self.manifest_projection is not None else self.projection


class ChangeArguments(ProjectionArguments):
    """The arguments that are common to routes that change a scan, and answer a manifest."""

    no_redirect: Boolean = Field(
        False,
        description="without effect, as these routes lead nowhere: the scan that is named is changed, also "
        "where another one has replaced it (`replaced_by_scan_id`)",
    )
