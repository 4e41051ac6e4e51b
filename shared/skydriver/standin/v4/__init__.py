"""The stand-in for scanners since v4: a server that sends pixels over RabbitMQ, and a client for one pixel.

    python -m skydriver.standin.v4.server --help
    python -m skydriver.standin.v4.client --help

Between the two stands a pilot, which knows the broker and starts the client for each pixel. Messages have the
real scanner's keys; where the real one pickles frames, here is base64 of JSON that says so. Nothing is ever
unpickled: a message that is none of a stand-in's is refused.
"""
