"""The host that a request was sent to, told by whatever passes it on to a function."""

FORWARDED_HOST = "x-forwarded-host"
"""The header that says which host a request was sent to, before it was passed on."""


def headers_with_host(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Say in a request's headers which host it was sent to, whatever they said of it.

    Only what a browser itself says of that can be believed, and that is `Host`.
    """
    host = next((value for name, value in headers if name.lower() == b"host"), b"")
    kept = [(name, value) for name, value in headers if name.lower() != FORWARDED_HOST.encode()]
    return [*kept, (FORWARDED_HOST.encode(), host)]
