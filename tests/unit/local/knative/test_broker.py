import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from skydriver.local.event import Event
from skydriver.local.knative.broker import Broker
from skydriver.local.knative.overlay import Delivery, Function, Trigger
from tests.conftest import eventually

EVENT = Event({"specversion": "1.0", "id": "1", "source": "/here", "type": "a"}, b"data")
Answer = Callable[[httpx.Request], httpx.Response]


class Functions:
    """Functions that note their requests and answer from a list, at last with 204."""

    def __init__(self, **answers: list[httpx.Response | Exception]) -> None:
        self._answers = answers
        self.requests: dict[str, list[httpx.Request]] = {"subscriber": [], "letters": []}
        self.at_once = self.most_at_once = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host.partition(".")[0]
        self.requests[name].append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        answers = self._answers.get(name)
        answer = answers.pop(0) if answers else httpx.Response(204)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def heard(self) -> int:
        return len(self.requests["subscriber"])

    @property
    def letters(self) -> list[httpx.Request]:
        return self.requests["letters"]


@asynccontextmanager
async def broker(
    functions: Functions, *, retry: int = 3, delay: float = 0.0, concurrency: int = 2, timeout: float = 5.0
) -> AsyncIterator[Broker]:
    """Run a broker of one trigger for events of type `a` until all its deliveries are done."""
    delivery = Delivery(retry=retry, delay=delay, timeout=timeout, dead_letter="letters")
    trigger = Trigger("trigger", "b", lambda attributes: attributes["type"] == "a", "subscriber", delivery)
    known = {
        name: Function(name, "x.py", "x", {}, None, 30.0, concurrency) for name in ("subscriber", "letters")
    }
    async with httpx.AsyncClient(transport=httpx.MockTransport(functions)) as client:
        one = Broker("b", namespace="ns", triggers=[trigger], functions=known, client=client)
        yield one
        await eventually(lambda: not one.is_busy)
        await one.stop(1.0)


async def test_an_event_is_delivered_once_if_it_is_taken() -> None:
    functions = Functions()
    async with broker(functions) as one:
        one.take(EVENT)
    (request,) = functions.requests["subscriber"]
    assert str(request.url) == "http://subscriber.ns.svc.cluster.local/"
    assert (request.headers["ce-id"], request.content) == ("1", b"data")
    assert not functions.letters


async def test_an_event_that_no_filter_accepts_goes_nowhere() -> None:
    functions = Functions()
    async with broker(functions) as one:
        one.take(EVENT.extended(type="b"))
    assert functions.heard == 0


@pytest.mark.parametrize(
    "problem",
    [
        *(httpx.Response(code) for code in (404, 408, 409, 429, 500, 502, 503)),
        httpx.ConnectError("refused"),
        httpx.Response(200, text="OK"),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again(problem: httpx.Response | Exception) -> None:
    functions = Functions(subscriber=[problem, problem])
    async with broker(functions) as one:
        one.take(EVENT)
    assert functions.heard == 3
    assert not functions.letters


@pytest.mark.parametrize("code", [300, 302, 400, 401, 403, 405, 413, 422])
async def test_any_other_refusal_is_final(code: int) -> None:
    functions = Functions(subscriber=[httpx.Response(code, text="never")])
    async with broker(functions) as one:
        one.take(EVENT)
    assert functions.heard == 1
    (letter,) = functions.letters
    assert letter.headers["ce-id"] == "1"
    assert letter.content == b"data"
    assert letter.headers["ce-knativeerrordest"] == "http://subscriber.ns.svc.cluster.local"
    assert letter.headers["ce-knativeerrorcode"] == str(code)
    assert base64.b64decode(letter.headers["ce-knativeerrordata"]) == b"never"


async def test_after_the_last_retry_the_event_is_a_dead_letter() -> None:
    functions = Functions(subscriber=[httpx.Response(503) for _ in range(9)])
    async with broker(functions, retry=3) as one:
        one.take(EVENT)
    assert functions.heard == 4
    assert [letter.headers["ce-knativeerrorcode"] for letter in functions.letters] == ["503"]


async def test_dead_letters_are_retried_too() -> None:
    functions = Functions(subscriber=[httpx.Response(422)], letters=[httpx.Response(503)])
    async with broker(functions) as one:
        one.take(EVENT)
    assert len(functions.letters) == 2


async def test_a_long_answer_is_cut_in_the_dead_letter() -> None:
    functions = Functions(subscriber=[httpx.Response(422, text="x" * 5000)])
    async with broker(functions) as one:
        one.take(EVENT)
    (letter,) = functions.letters
    assert base64.b64decode(letter.headers["ce-knativeerrordata"]) == b"x" * 768


async def test_a_reply_that_is_an_event_comes_back_in() -> None:
    headers, _ = EVENT.extended(id="2").to_http()
    functions = Functions(subscriber=[httpx.Response(200, headers=headers, content=b"reply")])
    async with broker(functions) as one:
        one.take(EVENT)
    assert [request.headers["ce-id"] for request in functions.requests["subscriber"]] == ["1", "2"]


async def test_a_subscriber_gets_no_more_requests_at_once_than_it_takes() -> None:
    functions = Functions()
    async with broker(functions, concurrency=2) as one:
        for number in range(20):
            one.take(EVENT.extended(id=str(number)))
    assert functions.heard == 20
    assert functions.most_at_once == 2


async def test_an_event_that_waits_for_a_retry_takes_no_place() -> None:
    functions = Functions(subscriber=[httpx.Response(503)])
    async with broker(functions, concurrency=1, delay=0.2) as one:
        one.take(EVENT.extended(id="refused"))
        one.take(EVENT.extended(id="next"))
    ids = [request.headers["ce-id"] for request in functions.requests["subscriber"]]
    assert ids == ["refused", "next", "refused"]


async def test_a_silent_subscriber_is_given_up_in_time() -> None:
    class Silent(Functions):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.url.host.startswith("subscriber"):
                await asyncio.Event().wait()
            return await super().__call__(request)

    functions = Silent()
    async with broker(functions, timeout=0.05, retry=1) as one:
        one.take(EVENT)
    (letter,) = functions.letters
    assert not [name for name in letter.headers if "knativeerror" in name]


async def test_of_an_answer_that_is_no_event_the_dead_letter_tells_nothing() -> None:
    functions = Functions(subscriber=[httpx.Response(200, text="OK") for _ in range(9)])
    async with broker(functions, retry=3) as one:
        one.take(EVENT)
    (letter,) = functions.letters
    assert not [name for name in letter.headers if "knativeerror" in name]


async def test_stopping_ends_waits_and_sends_no_dead_letters() -> None:
    functions = Functions(subscriber=[httpx.Response(503) for _ in range(99)])
    async with broker(functions, delay=3600.0) as one:
        one.take(EVENT)
        await eventually(lambda: functions.heard and not functions.at_once)
        async with asyncio.timeout(5):
            await one.stop(5.0)
    assert functions.heard == 1
    assert not functions.letters
