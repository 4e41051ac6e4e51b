"""Keys that sign: a list of each, of which the first signs and all verify, so that one can follow another.

A key is a secret of the settings, its list is separated by commas. What a key has signed names it by its
id, which is made of the key and tells nothing of it. To change a key takes three rollouts, since functions
get the new list one after the other: add the new key as the second, swap the two, and drop the former once
nothing that it signed is in use any more.
"""

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

from skydriver.runtime.secrets import secret
from skydriver.settings import settings

_ID_LENGTH = 16


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        id: names it in public.
        secret: the key itself.
    """

    id: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> "Key":
        """Make a key of its secret, which gives its id, too."""
        return cls(sha256(b"id of " + secret.encode()).hexdigest()[:_ID_LENGTH], secret)


@dataclass(frozen=True)
class Keys:
    """The keys of one purpose.

    Attributes:
        signing: what signs.
        by_id: all that verify, by their ids.
    """

    signing: Key
    by_id: dict[str, Key]


@cache
def _parsed(text: str) -> Keys:
    found = [Key.of(one) for one in split(text)]
    return Keys(found[0], {key.id: key for key in found})


def split(text: str) -> list[str]:
    """Split a list of keys, as a setting has it."""
    return [key for one in text.split(",") if (key := one.strip())]


def keys_of(name: str) -> Keys:
    """Return the keys that this function needs.

    Args:
        name: the field of the settings, such as `scanner_token_key`.

    Raises:
        NotConfigured: this function does not have them.
    """
    return _parsed(secret(name))


def has_keys(name: str) -> bool:
    """True if this function has the keys of a field of the settings."""
    return getattr(settings(), name) is not None
