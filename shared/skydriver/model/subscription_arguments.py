"""The arguments of `POST /subscriptions`, and of changes of a subscription."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from skydriver.model.fields import Integer, Integer64, NotNull
from skydriver.model.submission import Labels
from skydriver.model.subscriptions import NOTIFIED, Filters, Protocol, SubscriptionState
from skydriver.model.transitions import Fact

MAX_DAYS = 90
"""Days that a subscription lives unless its owner renews it."""
MAX_SINK = 2048
MAX_NAME = 256
SCAN_FACTS = "scan."
DEFAULT_TYPES = (Fact.FIRST_RESULT, Fact.FINISHED, Fact.FAILED, Fact.ABORTED)


def _types(value: Any) -> Any:
    """Read facts, with or without `scan.`; the result has each once, in the order of `NOTIFIED`."""
    given = [value] if isinstance(value, str) else value
    known = f"known are: {', '.join(NOTIFIED)}"
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"must be a list of facts, and not empty; {known}")
    found = set()
    for one in given:
        name = one if isinstance(one, str) and one.startswith(SCAN_FACTS) else f"{SCAN_FACTS}{one}"
        if name not in NOTIFIED:
            raise ValueError(f"there is no fact '{str(one)[:50]}'; {known}")
        found.add(name)
    return [fact for fact in NOTIFIED if fact in found]


Types = Annotated[
    list[Fact],
    NotNull,
    BeforeValidator(_types),
    WithJsonSchema({"type": "array", "items": {"enum": list(NOTIFIED)}, "minItems": 1}),
]
Days = Annotated[int, Field(ge=1, le=MAX_DAYS), NotNull]


class FilterArguments(BaseModel):
    """The scans that a subscription is about: those that match all given filters."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    scan_id: Annotated[str, Field(pattern=r"^\w{1,64}$")] | None = None
    run_id: Integer64 | None = None
    event_id: Integer64 | None = None
    min_priority: Integer | None = Field(None, description="scans of this priority, or a higher one")
    submitted_by: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = None
    classifiers: Labels | None = Field(
        None, description="names and values that the scan's classifiers must have"
    )

    def filters(self) -> Filters:
        """Make the filters that are stored: only those that were given."""
        return cast(Filters, self.model_dump(exclude_none=True))


class SubscribeArguments(BaseModel):
    """The arguments of `POST /subscriptions`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    protocol: Protocol = Field(
        description="HTTP: CloudEvents to a webhook; SLACK: messages to an incoming webhook; EMAIL",
        examples=["HTTP"],
    )
    sink: Annotated[str, Field(min_length=1, max_length=MAX_SINK)] = Field(
        description="the webhook's address, or an e-mail address",
        examples=["https://hooks.example.org/scans"],
    )
    types: Types = Field(
        list(DEFAULT_TYPES),
        description="facts that are notified; `scan.` may be left out",
        examples=[["scan.first_result", "scan.finished"]],
    )
    filters: FilterArguments = Field(
        default_factory=FilterArguments, examples=[{"run_id": 130033, "min_priority": 100}]
    )
    expires_in_days: Days = MAX_DAYS


class ChangeSubscriptionArguments(BaseModel):
    """The arguments of `PATCH /subscriptions/SUBSCRIPTION_ID`; fields that are not given stay as they are."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    types: Types | None = None
    filters: FilterArguments | None = Field(None, description="replace all previous ones")
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None = Field(
        None, description="days from now: renews it"
    )
    state: Literal[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED] | None = Field(
        None, description="`ACTIVE` after a suspension; `SUSPENDED` needs the role `system`"
    )

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if all(value is None for _, value in self):
            raise PydanticCustomError("nothing", "give types, filters, expires_in_days or state")
        return self
