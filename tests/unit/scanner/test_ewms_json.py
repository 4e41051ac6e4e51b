"""The broker's address, as it is checked here and read by the scanner's own library."""

import json
from typing import Any

import pika
import pytest
from mqclient.broker_clients.rabbitmq import RabbitMQ

from skydriver.scanner.ewms_json import Broker, content, queue_names, read_broker, scanner_of_queue
from skydriver.workers.pilot import connection_parameters


@pytest.mark.parametrize(
    ("address", "token", "expected"),
    [
        ("localhost", "", Broker("localhost")),
        ("scanner:secret@mq.example:5672/skyd", "", Broker("scanner@mq.example:5672/skyd", "secret")),
        ("scanner:old@mq.example/skyd", "new", Broker("scanner@mq.example/skyd", "new")),
        ("mq.example:5672/", "a.jwt.token", Broker("mq.example:5672", "a.jwt.token")),
        ("scanner:secret@[::1]:5672/x", "", Broker("scanner@[::1]:5672/x", "secret")),
    ],
)
def test_the_password_leaves_the_address(address: str, token: str, expected: Broker) -> None:
    broker = read_broker(address, token)
    assert broker == expected
    assert "secret" not in repr(broker)
    # It is the same broker in both forms, for us and for the scanner's library.
    assert known(RabbitMQ(broker.address, "q", broker.token).parameters) == known(
        RabbitMQ(address, "q", token).parameters
    )
    assert known(connection_parameters(broker.address, broker.token)) == known(
        connection_parameters(address, token)
    )
    assert known(connection_parameters(address, token)) == known(RabbitMQ(address, "q", token).parameters)


def known(parameters: pika.ConnectionParameters) -> tuple[Any, ...]:
    login = (parameters.credentials.username, parameters.credentials.password)
    return parameters.host, parameters.port, parameters.virtual_host, login


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("amqp://mq.example", "without a scheme"),
        ("a%40b:secret@mq", "percent"),
        ("mq .example", "must be"),
        ("mq:port/x", "port"),
        ("/vhost", "no host"),
        ("scanner@mq.example", "password"),
    ],
)
def test_addresses_that_no_scanner_could_use(address: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        read_broker(address)
    assert "secret" not in str(caught.value)


def test_the_file_holds_eight_strings() -> None:
    profile = {"auth_token": "secret", "broker_type": "rabbitmq", "broker_address": "scanner@mq.example/skyd"}
    assert json.loads(content("5d2e_2", Broker("scanner@mq.example/skyd", "secret"))) == {
        "toclient": {"name": "to-clients-5d2e_2", **profile},
        "fromclient": {"name": "from-clients-5d2e_2", **profile},
    }


def test_a_queue_tells_whose_it_is() -> None:
    assert {scanner_of_queue(name) for name in queue_names("5d2e_2")} == {"5d2e_2"}
    for name in ("to-clients-", "clients-5d2e", "other", ""):
        assert scanner_of_queue(name) is None
