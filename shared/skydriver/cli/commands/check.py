"""`check`: what is missing from an installation."""

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import skydriver
from skydriver.check.finding import Finding
from skydriver.cli.context import JsonOption, find_service, given_token
from skydriver.cli.errors import CommandError
from skydriver.cli.screen import clean, out, print_json
from skydriver.cli.web import async_http_client


def check(
    ctx: typer.Context,
    inside: Annotated[
        bool,
        typer.Option("--inside", help="Check what the settings in the environment name, as functions do."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what is missing from an installation: ask for every route, or (--inside) try every part."""
    found = asyncio.run(_inside() if inside else _outside(ctx))
    if as_json:
        print_json({"findings": [asdict(finding) for finding in found]})
    for finding in () if as_json else found:
        style = "green" if finding.good else "red"
        out.print(f"{'ok' if finding.good else 'FAIL':<5}", style=style, end="")
        out.print(clean(f"{finding.what}: {finding.words}"), markup=False, highlight=False, soft_wrap=True)
    bad = sum(not finding.good for finding in found)
    if bad:
        raise CommandError(f"{bad} of {len(found)} are not as they must be")


# No other command needs what these two import.


async def _inside() -> list[Finding]:
    from skydriver.check.inside import check_inside
    from skydriver.runtime.per_loop import PerLoop

    found = await check_inside()
    await PerLoop.close_all()
    return found


async def _outside(ctx: typer.Context) -> list[Finding]:
    from skydriver.check.outside import TIMEOUT, check_outside
    from skydriver.gateway.route_table import RouteTable

    file = os.environ.get("ROUTES_FILE") or Path(skydriver.__file__).parents[2] / "knative/base/routes.yaml"
    try:
        table = RouteTable.load(Path(file))
    except OSError as error:
        raise CommandError(f"there is no route table at {file}: run this from a checkout") from error
    url, token = find_service(ctx).url, given_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with async_http_client(url, base_url=url, headers=headers, timeout=TIMEOUT) as client:
        return await check_outside(client, table)
