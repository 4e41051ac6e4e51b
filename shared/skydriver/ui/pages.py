"""What makes an HTTP function of a page: who sees it, what is in it, errors as pages."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from skydriver.errors import Forbidden
from skydriver.rest import sessions
from skydriver.rest.arguments import NoArguments, query_arguments, validate
from skydriver.rest.auth import ANONYMOUS, Caller, Role, authenticate, of_session
from skydriver.rest.etags import etag_of, is_known
from skydriver.rest.http_function import HttpFunction, http_function
from skydriver.rest.responses import takes_html
from skydriver.settings import settings
from skydriver.ui import forms
from skydriver.ui.forms import Form
from skydriver.ui.render import render, version

Arguments = TypeVar("Arguments", bound=BaseModel)
PARAMETER = r"[\w.-]{1,100}"


@dataclass(frozen=True)
class Page:
    """A page that is to be shown.

    Attributes:
        template: a file of `templates/`.
        data: what it shows, as plain data; a refresh is answered only if this has changed.
        status: of the answer.
    """

    template: str
    data: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class PageRequest(Generic[Arguments]):
    """A call of a page.

    Attributes:
        arguments: of the query, validated.
        caller: who asks.
        names: the parameters of the path.
        form: what was sent; None where the page is only to be shown.
        headers: of the request.
        cookies: of the request.
    """

    arguments: Arguments
    caller: Caller
    names: Mapping[str, str]
    form: Form | None
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


@dataclass(frozen=True)
class PageInfo:
    """What a page function says of itself.

    Attributes:
        name: the function's.
        methods: in capitals; GET stands for HEAD, too.
        path: with `{scan_id}` where it names a scan.
        arguments: the model of those of its query.
        roles: one of them is needed to see it; empty: none is.
    """

    name: str
    methods: tuple[str, ...]
    path: str
    arguments: type[BaseModel]
    roles: tuple[Role, ...]


Handler = Callable[[PageRequest[Arguments]], Awaitable[Page | Response]]


def page(
    line: str,
    *,
    roles: tuple[Role, ...] = (Role.USER,),
    arguments: type[Arguments] = NoArguments,  # type: ignore[assignment]
    limit: Callable[[], int] = lambda: settings().max_body_bytes,
    by_signed_link: bool = False,
) -> Callable[[Handler[Arguments]], HttpFunction]:
    """Make an HTTP function of a page's handler.

    A user without a session is led to the login, and comes back from there. A form that is sent without one
    is answered with the same form, and nothing is done.

    Args:
        line: methods and path, e.g. `GET|POST /ui/new`.
        roles: one of them is needed to see it; empty: none is, and nothing is known of who asks.
        arguments: the model of the arguments of its query.
        limit: says the most bytes that a form may have.
        by_signed_link: whether a signed link takes the place of a login. Its form is accepted from any
            origin, since mail programs send it, too (RFC 8058).
    """
    methods, path = line.split(" ")

    def decorate(handle: Handler[Arguments]) -> HttpFunction:
        info = PageInfo(handle.__name__, tuple(methods.split("|")), path, arguments, roles)

        async def respond(request: Request, names: Mapping[str, str]) -> Response:
            form = None
            if request.method == "POST":
                if not by_signed_link:
                    forms.check_origin(request)
                form = await forms.read_form(request, limit=limit())
            elif not forms.is_own_host(request):
                return _at_own_address(request)
            caller = await _caller(request) if roles else ANONYMOUS
            try:
                if caller is None or (form is not None and await _has_ended(caller)):
                    raise sessions.SessionEnded
                if roles and caller.roles.isdisjoint(roles):
                    raise Forbidden(f"authorization failed: this needs the role {' or '.join(roles)}")
                if form is not None and roles:
                    forms.check_token(form.token, caller.name)
                call = PageRequest(
                    validate(arguments, query_arguments(request)),
                    caller,
                    names,
                    form,
                    request.headers,
                    request.cookies,
                )
                answer = await sessions.unless_ended(caller.session_id, handle(call))
            except sessions.SessionEnded:
                return _login(request, form)
            except forms.StaleForm:
                text = _again(form or Form(), request, caller, STALE)
                return HTMLResponse(text, HTTPStatus.FORBIDDEN, _headers())
            return (
                answer if isinstance(answer, Response) else _shown(request, answer, caller if roles else None)
            )

        return http_function(handle, info, respond, parameter=PARAMETER, shown=_error)

    return decorate


async def _caller(request: Request) -> Caller | None:
    """Find out who asks: by the cookie of a session, else as in the interface; None without either."""
    session = of_session(request)
    if session is not None:
        return session
    if "authorization" in request.headers or settings().skydriver_no_auth:
        return await authenticate(request)
    return None


async def _has_ended(caller: Caller) -> bool:
    return caller.session_id is not None and await sessions.is_ended(caller.session_id)


def _shown(request: Request, page: Page, caller: Caller | None) -> Response:
    """Show a page, unless the client has shown the same before.

    A page is not kept by the browser: each showing has forms of its own. Only a module that refreshes what
    it shows asks whether there is something new.
    """
    name = None if caller is None else caller.name
    seen = orjson.dumps([version(), page.template, name, page.data], default=str)
    etag = etag_of(seen)
    tag = f"W/{etag}"
    if page.status == HTTPStatus.OK and is_known(request.headers, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**_headers(), "ETag": tag})
    text = render(page.template, **page.data, **_common(caller, tag=tag))
    return HTMLResponse(text, page.status, {**_headers(), "ETag": tag})


def _common(caller: Caller | None, *, tag: str = "") -> dict[str, Any]:
    """Make what every template may use."""
    return {
        "user": caller,
        "login": not settings().skydriver_no_auth,
        "etag": tag,
        "csrf_token": forms.token_for(caller.name) if caller is not None else "",
        "new_key": forms.new_key,
    }


def _headers() -> dict[str, str]:
    issuer = settings().auth_openid_url
    to = f"'self' {issuer.rstrip('/')}/" if issuer else "'self'"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        f"form-action {to}",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def see_other(path: str, headers: Mapping[str, str] | None = None) -> Response:
    """Lead a browser to a page of ours, or to the login."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store", **(headers or {})})


def _at_own_address(request: Request) -> Response:
    """Lead a browser to the same page at the service's own address."""
    return see_other(settings().skydriver_url.rstrip("/") + _target(request))


def _target(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.scope["path"], safe="/") + (f"?{query}" if query else "")


def _login(request: Request, form: Form | None) -> Response:
    """Ask for a login; what was typed comes back in the same form."""
    if form is not None:
        # Its token stays good for the same user.
        return HTMLResponse(_again(form, request, None, LOGIN_FIRST), HTTPStatus.UNAUTHORIZED, _headers())
    if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        # A module cannot follow to the login, and says so by itself.
        return HTMLResponse(_page_of_error(401, LOGIN_AGAIN), HTTPStatus.UNAUTHORIZED, _headers())
    return see_other(f"/ui/login?next={quote(_target(request), safe='')}")


LOGIN_FIRST = (
    "You are not logged in any more, so nothing was done. Nothing that you have typed is lost: log in (in a "
    "new tab), come back to this one, and send the form again."
)
LOGIN_AGAIN = "You are not logged in any more. Load this page again to log in."


STALE = (
    "This form was made for another user, or more than a day ago, so nothing was done. Look at what is in "
    "it; if it is what you want, send it again."
)


def _again(form: Form, request: Request, caller: Caller | None, sentence: str) -> str:
    common = _common(caller)
    return render(
        "again.html",
        sentence=sentence,
        action=_target(request),
        fields=[
            {"name": name, "value": value, "is_long": len(value) > 60 or "\n" in value}
            for name, value in form.fields.items()
        ],
        key=form.key,
        **{**common, "csrf_token": common["csrf_token"] or form.token},
    )


def _page_of_error(status: int, sentence: str) -> str:
    return render(
        "error.html", status=status, title=HTTPStatus(status).phrase, sentence=sentence, **_common(None)
    )


def _error(request: Request, answer: Response) -> Response:
    """Show an error to people; programs get it as from the interface."""
    if not takes_html(request.headers):
        answer.headers.update(_headers())
        return answer
    said = orjson.loads(bytes(answer.body))
    headers = {name: value for name, value in answer.headers.items() if name == "retry-after"}
    text = _page_of_error(said["code"], said["error"])
    return HTMLResponse(text, answer.status_code, {**headers, **_headers()})


OWN_PATH = re.compile(r"/ui(/[\w.-]+)*(\?[^\\#\s]*)?")


def own_path(text: str) -> str:
    """Return a path of a page of ours; `/ui` where it is something else."""
    return text if OWN_PATH.fullmatch(text) else "/ui"
