"""Both ends of a scan's two queues, as the scanner's own client library drives them."""

from dataclasses import dataclass
from typing import Any

import pika
from mqclient import Queue

from tests.components.rabbitmq.server import PASSWORD, USER, RabbitMQ

TO_CLIENTS, FROM_CLIENTS = "to-clients-5d2e", "from-clients-5d2e"


@dataclass(frozen=True)
class Queues:
    """The queues of one scan in a virtual host of a test."""

    broker: RabbitMQ
    vhost: str

    @property
    def address(self) -> str:
        return self.broker.address(self.vhost)

    @property
    def environment(self) -> dict[str, str]:
        """What a pilot is told."""
        return {
            "SKYSCAN_BROKER_ADDRESS": self.address,
            "SKYSCAN_BROKER_AUTH": PASSWORD,
            "EWMS_PILOT_QUEUE_INCOMING": TO_CLIENTS,
            "EWMS_PILOT_QUEUE_OUTGOING": FROM_CLIENTS,
        }

    async def send(self, *messages: Any, queue: str = TO_CLIENTS) -> None:
        """Make both queues, and send."""
        async with self._queue(FROM_CLIENTS).open_pub():
            pass
        async with self._queue(queue).open_pub() as publisher:
            for message in messages:
                await publisher.send(message)

    async def receive(self, number: int, *, queue: str = FROM_CLIENTS, timeout: int = 60) -> list[Any]:
        """Take so many messages off a queue, each of which must come within `timeout` seconds."""
        found: list[Any] = []
        async with self._queue(queue, timeout).open_sub() as messages:
            async for message in messages:
                found.append(message)
                if len(found) == number:
                    break
        assert len(found) == number, found
        return found

    def waiting(self, queue: str = TO_CLIENTS) -> int:
        """Count the messages that no consumer has."""
        with self.connection() as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)

    def publish(self, body: bytes, queue: str = TO_CLIENTS) -> None:
        """Send bytes that mqclient would not."""
        with self.connection() as connection:
            connection.channel().basic_publish("", queue, body)

    def delete(self, queue: str) -> None:
        with self.connection() as connection:
            connection.channel().queue_delete(queue)

    def connection(self) -> Any:
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                "127.0.0.1", self.broker.port, self.vhost, pika.PlainCredentials(USER, PASSWORD)
            )
        )

    def _queue(self, name: str, timeout: int = 60) -> Any:
        return Queue("rabbitmq", address=self.address, name=name, auth_token=PASSWORD, timeout=timeout)
