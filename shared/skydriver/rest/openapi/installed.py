"""The OpenAPI document of an installation: the one that `make docs` has written, with what differs in it.

To make it anew imports every function, which no cold start should.
"""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson

FILE = Path(__file__).with_name("openapi.json")
"""What `skydriver.rest.openapi.document` makes of the functions; a test holds one against the other."""


@lru_cache(maxsize=1)
def installed_document(*, url: str, issuer: str | None) -> bytes:
    """Write the document of an installation.

    Args:
        url: the service's own address.
        issuer: the realm whose tokens are taken, if any.
    """
    document = orjson.loads(FILE.read_bytes())
    document["info"]["version"] = _version()
    document["servers"] = [{"url": url}]
    token = document["components"]["securitySchemes"]["token"]
    token["description"] = f"a token of {issuer}" if issuer else "no token is needed here"
    return orjson.dumps(document)


def _version() -> str:
    try:
        return version("skydriver")
    except PackageNotFoundError:
        return "0"
