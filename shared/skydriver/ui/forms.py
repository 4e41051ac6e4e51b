"""Forms: where they must come from, what makes them ours, and what is in them.

A request that changes something must come from a page of this service, at its own address, with or without
login: another site's forms are refused, and so is a name that an attacker points to this machine (DNS
rebinding). Each form holds a token that is bound to the user's name and the day, and an Idempotency-Key.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from skydriver.errors import Forbidden, InvalidArguments, NotFound
from skydriver.gateway.forwarded_host import FORWARDED_HOST
from skydriver.rest.arguments import MAX_KEY, read_body
from skydriver.rest.auth import has_foreign_origin
from skydriver.runtime import sealing
from skydriver.settings import settings

TOKEN = "csrf_token"  # noqa: S105 - the name of a field
KEY = "idempotency_key"
MAX_FIELDS = 100
_PURPOSE = "form"
_Action = TypeVar("_Action")
_WITHIN_CLUSTER = ".svc.cluster.local"
_OF_OTHER_SITES = "authorization failed: forms are taken from the pages of this service only"


@dataclass(frozen=True)
class Form:
    """What a user has filled in.

    Attributes:
        fields: texts by name; a file is a text like any other.
        key: stands for this form: a repeat is the same.
        token: shows that we have made the form.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    token: str = ""


class StaleForm(Forbidden):
    """A form was made for another user or too long ago, or not by us."""

    def __init__(self) -> None:
        super().__init__("authorization failed: this form is too old, or was made for another user")


def find_action(actions: Mapping[str, _Action], name: str) -> _Action:
    """Find what a form does by the name in its path.

    Raises:
        NotFound: there is no such action.
    """
    if name not in actions:
        raise NotFound(f"there is no action '{name}'; there are {', '.join(actions)}")
    return actions[name]


def new_key() -> str:
    """Make the Idempotency-Key of a new form."""
    return uuid4().hex


def token_for(name: str | None) -> str:
    """Make the token of a form that is shown to a user today.

    Raises:
        NotConfigured: this function has no keys of sessions.
    """
    return sealing.code_of(_PURPOSE, _message(name, _today()))


def check_token(token: str, name: str | None) -> None:
    """Check the token of a form, which is good for its day and the next: some are filled in at midnight.

    Raises:
        StaleForm: it was made for another user, is older, or is none of ours.
    """
    today = _today()
    if not any(
        sealing.is_code_of(token, _PURPOSE, _message(name, day)) for day in (today, today - dt.timedelta(1))
    ):
        raise StaleForm


def _message(name: str | None, day: dt.date) -> str:
    return f"{day.isoformat()} {'' if name is None else 'of ' + name}"


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def is_own_host(request: Request) -> bool:
    """Say whether a request was sent to this service's own address.

    What puts all functions behind one address says which host was asked for. An ingress that knows the
    service's host only has compared it, and asks functions by their names within the cluster, which no
    browser can be led to ask for.
    """
    host = (request.headers.get(FORWARDED_HOST) or request.headers.get("host", "")).lower()
    return host == own_host() or host.partition(":")[0].endswith(_WITHIN_CLUSTER)


def own_host() -> str:
    """Return host and port of the service's own address, as a `Host` header says them."""
    return urlsplit(settings().skydriver_url).netloc.lower()


def check_origin(request: Request) -> None:
    """Check that a form was sent by a page of ours, to our own address.

    Raises:
        Forbidden: it was not, or the browser does not say so.
    """
    if not is_own_host(request):
        raise Forbidden(
            "authorization failed: this page was asked for at another address than the service's own, "
            f"{settings().skydriver_url}; open it there"
        )
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is None and site is None:
        raise Forbidden(f"{_OF_OTHER_SITES}; this browser does not say where it comes from")
    if has_foreign_origin(request) or site not in (None, "same-origin"):
        raise Forbidden(_OF_OTHER_SITES)


async def read_form(request: Request, *, limit: int) -> Form:
    """Read a form off a request's body.

    Args:
        request: the request.
        limit: the most bytes that are taken.

    Raises:
        InvalidArguments: it is no form, or a file in it is no text.
        TooLarge: there are more bytes.
    """
    body = await read_body(request, limit=limit)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise InvalidArguments({"body": "must be a form"})

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    fields: dict[str, str] = {}
    whole = Request(request.scope, receive)
    try:
        async with whole.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=limit) as content:
            for name, value in content.multi_items():
                text = await _text(name, value)
                # A file that was not chosen is an empty one, beside a text of the same name.
                fields[name] = text or fields.get(name, "")
    except MultiPartException as error:
        raise InvalidArguments({"body": f"must be a form: {error.message}"}) from None
    key, token = fields.pop(KEY, ""), fields.pop(TOKEN, "")
    if len(key) > MAX_KEY:
        raise InvalidArguments({KEY: f"must have {MAX_KEY} characters at most"})
    return Form(fields, key or new_key(), token)


async def _text(name: str, value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    try:
        return (await value.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArguments({name: "must be a text file (UTF-8)"}) from None
