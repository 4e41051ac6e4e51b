"""What can go wrong with the local runtime; each message is a sentence for the user."""

from skydriver.errors import PermanentError


class LocalError(PermanentError):
    """The local runtime cannot start, or cannot do what its files ask for."""


class ManifestError(LocalError):
    """A manifest is wrong, or uses something that the local runtime does not know."""
