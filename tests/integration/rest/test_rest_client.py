"""What scripts with wipac-rest-tools' client see of an error, as docs/rest.md tells."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import HTTPError, RetryError
from rest_tools.client import RestClient

from tests.integration.rest.api import Api, scan_arguments


async def request(api: Api, method: str, path: str, arguments: dict[str, Any]) -> Any:
    """Call as a script does; the client blocks, so in a thread."""
    client = RestClient(str(api.http.base_url), retries=0)
    return await asyncio.to_thread(client.request_seq, method, path, arguments)


async def test_the_sentence_is_in_the_answer_of_the_error(api: Api, scan_id: str) -> None:
    with pytest.raises(HTTPError) as caught:
        await request(api, "POST", "/scan", scan_arguments(docker_tag="no-such-tag"))
    assert caught.value.response is not None
    assert "no-such-tag" in caught.value.response.json()["error"]
    # Of the reason phrase, which the client shows, nothing is ours.
    assert "no-such-tag" not in str(caught.value)


async def test_where_waiting_helps_the_client_goes_on_trying_and_then_raises_another_error(
    api: Api, configure: Callable[..., None]
) -> None:
    configure(BACKLOG_LIMIT="1")
    await api.submit()
    with pytest.raises(RetryError, match="429"):
        await request(api, "POST", "/scan", scan_arguments())
    answer = await api.answer("POST", "/scan", scan_arguments())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
