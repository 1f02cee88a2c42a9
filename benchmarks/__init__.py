"""TapeMQ and RabbitMQ measured side by side, in one run, on one machine."""
