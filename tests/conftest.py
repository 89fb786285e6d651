"""What every test has: a PostgreSQL of its own, and RabbitMQ where a test asks for it."""

import os
from pathlib import Path

# LangGraph reads this once, at its first import, and a migration imports it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

pytest_plugins = ["tests.database", "tests.service", "tests.agents"]
if Path(__file__).with_name("rabbitmq.py").exists():
    pytest_plugins += ["tests.rabbitmq", "tests.event_path"]
