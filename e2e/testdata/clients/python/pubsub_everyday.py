"""What a program does with topics and subscriptions, in the order in which it
does it."""
import os
import threading

from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1.types import Encoding, Schema

project = "projects/" + os.environ["GOOGLE_CLOUD_PROJECT"]
topic, mine, pulled = project + "/topics/python", project + "/subscriptions/python", project + "/subscriptions/python-pulled"

publisher = pubsub_v1.PublisherClient(publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True))
subscriber = pubsub_v1.SubscriberClient()
publisher.create_topic(name=topic)
subscriber.create_subscription(request={"name": mine, "topic": topic, "enable_message_ordering": True})
subscriber.create_subscription(request={"name": pulled, "topic": topic, "filter": 'attributes.lang = "en"'})

# Streaming pull, in order.
count = 200
futures = [publisher.publish(topic, str(i).encode(), ordering_key="k" + str(i % 4), lang="en" if i == 7 else "de") for i in range(count)]
assert len({f.result(timeout=30) for f in futures}) == count
got, lock, done = {}, threading.Lock(), threading.Event()


def receive(message):
    message.ack()
    with lock:
        got.setdefault(message.ordering_key, []).append(int(message.data))
        if sum(map(len, got.values())) == count:
            done.set()


stream = subscriber.subscribe(mine, receive, flow_control=pubsub_v1.types.FlowControl(max_messages=20))
assert done.wait(30), got
stream.cancel()
stream.result(timeout=30)
for key, numbers in got.items():
    assert numbers == sorted(numbers) and len(numbers) == count // 4, (key, numbers)

# Pull, with a filter, given back once.
for _ in range(2):
    r = subscriber.pull(subscription=pulled, max_messages=10, timeout=30)
    assert [m.message.data for m in r.received_messages] == [b"7"], r
    ids = [m.ack_id for m in r.received_messages]
    subscriber.modify_ack_deadline(subscription=pulled, ack_ids=ids, ack_deadline_seconds=0)
r = subscriber.pull(subscription=pulled, max_messages=10, timeout=30)
subscriber.acknowledge(subscription=pulled, ack_ids=[m.ack_id for m in r.received_messages])

# A schema.
schemas = pubsub_v1.SchemaServiceClient()
definition = '{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}'
schema = schemas.create_schema(parent=project, schema_id="python", schema=Schema(type_=Schema.Type.AVRO, definition=definition))
strict = project + "/topics/python-strict"
publisher.create_topic(request={"name": strict, "schema_settings": {"schema": schema.name, "encoding": Encoding.JSON}})
subscriber.create_subscription(name=strict.replace("topics", "subscriptions"), topic=strict)
try:
    publisher.publish(strict, b'{"a":1}').result(timeout=30)
    raise AssertionError("a message that does not match was taken")
except InvalidArgument as e:
    assert e.reason == "INVALID_JSON_AVRO_MESSAGE" and "Message failed schema validation" in str(e), e
publisher.publish(strict, b'{"a":"x"}').result(timeout=30)
r = subscriber.pull(subscription=strict.replace("topics", "subscriptions"), max_messages=10, timeout=30)
attributes = dict(r.received_messages[0].message.attributes)
assert attributes == {
    "googclient_schemaname": schema.name, "googclient_schemaencoding": "JSON", "googclient_schemarevisionid": schema.revision_id,
}, attributes

# Policies, snapshots, errors.
policy = publisher.get_iam_policy(request={"resource": topic})
policy.bindings.add(role="roles/pubsub.viewer", members=["allUsers"])
assert publisher.set_iam_policy(request={"resource": topic, "policy": policy}).bindings[0].role == "roles/pubsub.viewer"
assert list(publisher.test_iam_permissions(request={"resource": topic, "permissions": ["pubsub.topics.publish"]}).permissions) == ["pubsub.topics.publish"]
snapshot = project + "/snapshots/python"
subscriber.create_snapshot(name=snapshot, subscription=mine)
publisher.publish(topic, b"again", ordering_key="k0").result(timeout=30)
subscriber.seek(request={"subscription": mine, "snapshot": snapshot})
r = subscriber.pull(subscription=mine, max_messages=10, timeout=30)
assert [m.message.data for m in r.received_messages] == [b"again"], r
try:
    publisher.publish(project + "/topics/none", b"x").result(timeout=30)
    raise AssertionError("published to nothing")
except NotFound as e:
    assert e.message == "Resource not found (resource=none).", e.message
assert topic in [t.name for t in publisher.list_topics(project=project)]
publisher.delete_topic(topic=topic)
assert subscriber.get_subscription(subscription=mine).topic == "_deleted-topic_"
