"""A real RabbitMQ, as Debian packages it, run without root on the loopback."""
