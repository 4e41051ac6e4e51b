"""Tokens and passwords on this side: checked before they are sent, and kept out of whatever is shown."""

import re
from functools import cache

from skydriver.cli.errors import CommandError
from skydriver.model.redaction import MASK, mask_tokens, mask_urls

# What a header can carry (RFC 9110, section 5.5), without blanks: tokens have none (RFC 6750, section 2.1).
_SENDABLE = re.compile(r"[\x21-\x7e]+")
MIN_LENGTH = 8
"""Shorter words are not masked: they would take parts of other words with them."""


@cache
def _kept() -> set[str]:
    return set()


def keep_secret(secret: str) -> str:
    """Mask a secret from now on in whatever `masked` is given; returns it."""
    if len(secret) >= MIN_LENGTH:
        _kept().add(secret)
    return secret


def checked_token(token: str, where: str) -> str:
    """Keep a token secret, and make sure that a header can carry it.

    Raises:
        CommandError: it cannot; the message does not show the token.
    """
    keep_secret(token)
    if not _SENDABLE.fullmatch(token):
        raise CommandError(
            f"the token of {where} cannot be sent: it holds a blank, a line break or another "
            "character that no token has"
        )
    return token


def masked(text: str) -> str:
    """Cut every token and password out of a text."""
    for secret in sorted(_kept(), key=len, reverse=True):
        # As it is, and as it stands in a representation.
        for form in {secret, repr(secret)[1:-1], repr(secret.encode(errors="replace"))[2:-1]}:
            text = text.replace(form, MASK)
    return mask_urls(mask_tokens(text))
