"""What a check has found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        what: was checked.
        good: whether it is as it must be.
        words: what was found, and what to do where it is not good.
    """

    what: str
    good: bool
    words: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'FAIL'}  {self.what}: {self.words}"


class Missing(Exception):
    """Something is not as it must be; the message says what, and what to do."""
