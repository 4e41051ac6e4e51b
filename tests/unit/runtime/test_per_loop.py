import asyncio
from dataclasses import dataclass

from skydriver.runtime.per_loop import PerLoop


@dataclass(eq=False)
class Client:
    loop: asyncio.AbstractEventLoop
    closed: bool = False


async def close(client: Client) -> None:
    client.closed = True


def clients() -> PerLoop[Client]:
    return PerLoop(lambda: Client(asyncio.get_running_loop()), close)


def test_a_loop_has_one_client_and_another_loop_another() -> None:
    mine = clients()

    async def twice() -> tuple[Client, Client]:
        return mine.get(), mine.get()

    first, again = asyncio.run(twice())
    other, _ = asyncio.run(twice())
    assert first is again
    assert first is not other
    assert first.loop is not other.loop


def test_closing_closes_every_client_of_the_running_loop_only() -> None:
    one, two, unused = clients(), clients(), clients()
    runner = asyncio.Runner()
    elsewhere = asyncio.Runner()

    async def get(of: PerLoop[Client]) -> Client:
        return of.get()

    with runner, elsewhere:
        here = [runner.run(get(one)), runner.run(get(two))]
        there = elsewhere.run(get(one))
        runner.run(PerLoop.close_all())
        assert [client.closed for client in here] == [True, True]
        assert there.closed is False
        # The next one is new, and nothing was made that was not asked for.
        assert runner.run(get(one)) not in here
        assert len(unused._clients) == 0
