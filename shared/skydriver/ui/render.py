"""Pages from templates, and the static files that they name."""

import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from skydriver.ui.words import FILTERS, iso, utc

STATIC = "/ui/static/"
_HERE = Path(__file__).parent
_HASH_LENGTH = 12
_IMPORT = re.compile(rb'((?:from|import)\s*\(?\s*")\./([\w-]+)\.js(")')
_NAME = re.compile(rf"([\w-]+)\.([0-9a-f]{{{_HASH_LENGTH}}})\.(\w+)")


def render(template: str, **context: Any) -> str:
    """Make a page.

    Args:
        template: the name of a file in `templates/`.
        context: what it shows. Every text is escaped; a name that a template uses and that is not there is an
            error.

    Raises:
        jinja2.UndefinedError: a name is missing.
    """
    return _environment().get_template(template).render(context)


def when(epoch: float | None) -> Markup:
    """Write a time (seconds since the epoch) as an element, beside which a module of the page writes its age.

    A macro of the templates would take three times as long, and long lists have hundreds of times.
    """
    if epoch is None:
        return Markup('<span class="faint">never</span>')
    # A time is digits only.
    return Markup(f'<time datetime="{iso(epoch)}">{utc(epoch)}</time>')  # noqa: S704


@cache
def version() -> str:
    """Tell this version of the templates and static files from others."""
    digest = sha256()
    for path in sorted([*_HERE.glob("templates/*"), *_HERE.glob("static/*")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:_HASH_LENGTH]


def static_url(name: str) -> str:
    """Say where a static file is, by a path that changes with what the files hold.

    Raises:
        KeyError: there is no such file.
    """
    stem, _, suffix = _static_files()[name].name.rpartition(".")
    return f"{STATIC}{stem}.{version()}.{suffix}"


@dataclass(frozen=True)
class StaticFile:
    """A file that pages use.

    Attributes:
        content: what is in it.
        media_type: of that.
        is_current: whether it was asked for by the path of this version, which always leads to the same.
    """

    content: bytes
    media_type: str
    is_current: bool


def read_static(name: str) -> StaticFile | None:
    """Read the file that the last part of a path of `static_url` names; None if there is none.

    A path of another version, which a page of a function that is being replaced may still name, leads to the
    file as it is now.
    """
    match = _NAME.fullmatch(name)
    path = match and _static_files().get(f"{match[1]}.{match[3]}")
    if not match or not path:
        return None
    content = path.read_bytes()
    if path.suffix == ".js":
        # Modules name one another as they lie in the folder.
        content = _IMPORT.sub(rb"\1./\2.%b.js\3" % version().encode(), content)
    media_type = mimetypes.types_map[path.suffix]
    return StaticFile(content, media_type, is_current=match[2] == version())


@cache
def _static_files() -> dict[str, Path]:
    return {path.name: path for path in (_HERE / "static").iterdir() if path.is_file()}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static_url
    environment.filters |= {**FILTERS, "when": when}
    return environment
