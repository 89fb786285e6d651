"""What every test has: a PostgreSQL of its own, and RabbitMQ where a test asks for it."""

import os

# LangGraph reads this once, at its first import, and a migration imports it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

pytest_plugins = [
    "tests.database",
    "tests.service",
    "tests.agents",
    "tests.rabbitmq",
    "tests.event_path",
    "tests.users_elsewhere",
]
