"""The OpenAPI document that is served, made of the functions: `python -m tests.support.openapi_document`."""

import importlib
import json
import pkgutil

from functions import api
from skydriver.rest.endpoint import EndpointInfo
from skydriver.rest.openapi.document import document
from skydriver.rest.openapi.installed import FILE


def routes() -> list[EndpointInfo]:
    """Ask every function of the interface what it says of itself."""
    found = []
    for place in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{place.name}")
        found.append(getattr(module, place.name).route)
    return found


def text() -> str:
    """Write the document."""
    return json.dumps(document(routes()), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
