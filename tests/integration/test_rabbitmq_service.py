import pika

from tests.rabbitmq import answers


def test_a_persistent_message_comes_back_from_a_quorum_queue(amqp_url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.queue_declare("service-check", durable=True, arguments={"x-queue-type": "quorum"})
    channel.confirm_delivery()

    channel.basic_publish(
        exchange="",
        routing_key="service-check",
        body=b"hello",
        properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
        mandatory=True,
    )

    method, _, body = channel.basic_get("service-check", auto_ack=True)
    channel.queue_delete("service-check")
    connection.close()
    assert method.routing_key == "service-check"
    assert body == b"hello"


def test_an_address_where_nobody_listens_does_not_answer() -> None:
    nobody = "amqp://guest:guest@127.0.0.1:1/"

    assert not answers(nobody)
