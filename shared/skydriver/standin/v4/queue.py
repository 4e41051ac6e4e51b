"""A scan's two queues at the broker, as the real server drives them: by oms-mqclient.

Each round of sending opens a connection and closes it, and so does each round of collecting: what was taken
ahead then returns to the queue and comes again. The library declares the queues, with its own arguments.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from skydriver.standin.recos import Reco, RecoId
from skydriver.standin.v4.messages import read_answer

logger = logging.getLogger(__name__)

FIELDS = ("name", "auth_token", "broker_type", "broker_address")


class BrokerError(Exception):
    """The file of queues makes no sense, or the broker is out of reach; nothing is tried again."""


class Profile(NamedTuple):
    """Where a queue is."""

    name: str
    auth_token: str
    broker_type: str
    broker_address: str


def read_profiles(path: Path) -> tuple[Profile, Profile]:
    """Read the queues to and from clients; other keys of the file are ignored.

    Raises:
        BrokerError: the file cannot be read, or lacks something.
    """
    try:
        content = json.loads(path.read_bytes())
        to_clients, from_clients = (
            Profile(*(str(content[queue][field]) for field in FIELDS)) for queue in ("toclient", "fromclient")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokerError(f"SKYSCAN_EWMS_JSON: {type(error).__name__}: {error}") from error
    return to_clients, from_clients


class BrokerQueue:
    """Sends reconstructions to clients and takes their answers. For one thread."""

    def __init__(
        self,
        profiles: tuple[Profile, Profile],
        message: Callable[[RecoId], dict[str, Any]],
        *,
        timeout: int,
        prefetch: int,
    ) -> None:
        """Note where the queues are; nothing is opened yet.

        Args:
            profiles: the queues to and from clients.
            message: makes the message of a reconstruction.
            timeout: seconds without an answer after which the library looks once more, for as long.
            prefetch: answers that are taken ahead.
        """
        from mqclient import Queue

        self._to, self._from = (
            Queue(
                profile.broker_type,
                address=profile.broker_address,
                name=profile.name,
                auth_token=profile.auth_token,
                timeout=timeout,
                prefetch=prefetch,
            )
            for profile in profiles
        )
        self._message = message
        self._round: Any = None
        # Not asyncio's runner: that would keep an interrupt back while the library waits for the broker.
        self._loop = asyncio.new_event_loop()

    def put(self, recos: Iterable[RecoId]) -> None:
        """Begin a round: end the former one, and send.

        Raises:
            BrokerError: the broker is out of reach.
        """
        self._run(self._put(list(recos)))

    def collect(self, timeout: float) -> Reco | None:
        """The next answer; None if none came within twice the queue's timeout.

        Raises:
            BrokerError: the broker is out of reach.
            BadMessage: the answer is none of a stand-in's.
        """
        message = self._run(self._next())
        return None if message is None else read_answer(message, time.time())

    async def _put(self, recos: list[RecoId]) -> None:
        if self._round is not None:
            ended, self._round = self._round, None
            await ended.__aexit__(None, None, None)
        if recos:
            async with self._to.open_pub() as publisher:
                for reco in recos:
                    await publisher.send(self._message(reco))

    async def _next(self) -> Any:
        if self._round is None:
            self._round = self._from.open_sub()
            await self._round.__aenter__()
        return await anext(self._round, None)

    def _run(self, call: Coroutine[Any, Any, Any]) -> Any:
        import pika
        from mqclient.broker_client_interface import MQClientException

        try:
            return self._loop.run_until_complete(call)
        except (MQClientException, pika.exceptions.AMQPError, OSError) as error:
            raise BrokerError(f"the broker is out of reach: {error!r}") from error
