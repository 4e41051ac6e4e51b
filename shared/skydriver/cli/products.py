"""A skymap's products for the command line: from the service, or made here of a file with a result.

Both are made by the same library (`skydriver.skymap`); a service makes them where it runs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from skydriver.cli.client import Client
from skydriver.cli.errors import CommandError, WrongUsage
from skydriver.cli.files import write_file
from skydriver.errors import InvalidArguments, Unprocessable
from skydriver.skymap.options import Options, Product

ROUTES = {
    "summary": "skymap",
    **{product: f"skymap.{product}" for product in ("fits", "png", "svg", "pdf")},
    **{product: product for product in ("contours", "moc")},
    "notice": "gcn-notice",
}
"""Where the service has each product, below `/scan/ID/`."""


@dataclass(frozen=True)
class Made:
    """A product.

    Attributes:
        name: of its file.
        content: its bytes.
    """

    name: str
    content: bytes


class Source(Protocol):
    """What products come from."""

    def product(self, product: str, options: Mapping[str, str]) -> Made:
        """Get a product.

        Args:
            product: one of `ROUTES`.
            options: as they are written in a query.

        Raises:
            CommandError: it cannot be made, or the service does not answer.
        """
        ...


class OfService:
    """The products of a scan."""

    def __init__(self, client: Client, scan_id: str, *, include_deleted: bool = False) -> None:
        self._client = client
        self._scan_id = scan_id
        self._more = {"include_deleted": "true"} if include_deleted else {}

    def product(self, product: str, options: Mapping[str, str]) -> Made:
        """Get a product as the service makes it."""
        name, content = self._client.file(self._scan_id, ROUTES[product], {**options, **self._more})
        # The name becomes that of a file here, whatever the service says.
        plain = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII).lstrip(".")
        return Made(plain or f"{product}.out", content)


class OfResult:
    """The products of a result that is here."""

    def __init__(
        self, skyscan_result: Mapping[str, Any], *, final: bool, second: "OfResult | None" = None
    ) -> None:
        """Take a result.

        Args:
            skyscan_result: `nside-N` -> columns, data, metadata.
            final: whether it is final; that of a scan that failed or was aborted is partial.
            second: another result, drawn into pictures, too.
        """
        self.skyscan_result = skyscan_result
        self.final = final
        self._second = second

    def product(self, product: str, options: Mapping[str, str]) -> Made:
        """Make a product."""
        try:
            from skydriver.skymap.products import Source as Results
            from skydriver.skymap.products import made

            second = self._second
            file = made(
                Product(product),
                Results(self.skyscan_result, final=self.final),
                Options.read(options, list(options)),
                second=None if second is None else Results(second.skyscan_result, final=second.final),
            )
        except ModuleNotFoundError as error:
            raise CommandError(
                f"Skymaps need `pip install 'skydriver[skymap]'` (there is no package {error.name})."
            ) from error
        except Unprocessable as error:
            raise CommandError(str(error)) from error
        return Made(file.name, file.content)


def checked(options: Mapping[str, str | None]) -> dict[str, str]:
    """Take the options that are given, before anything is asked or made.

    Raises:
        WrongUsage: one has no such value, or two do not go together.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        Options.read(given, list(options))
    except InvalidArguments as error:
        problems = "; ".join(f"--{name} {problem}" for name, problem in error.problems.items())
        raise WrongUsage(f"{problems}.") from None
    return given


def keep(made: Made, folder: Path) -> Path:
    """Write a product into a folder, which is made if need be.

    Raises:
        CommandError: it cannot be written.
    """
    path = folder / made.name
    write_file(path, made.content)
    return path
