"""What a program sees of connections that break and servers that fail: nothing."""
import json
import os
import urllib.request

from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

host = os.environ["STORAGE_EMULATOR_HOST"]
retry = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05)
bucket = storage.Client().create_bucket("retries-python")
big = os.urandom(1 << 20) * 9


def told(request):
    request = urllib.request.Request(host + request[0], data=request[1], headers={"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def breaks(method, instructions, do):
    """Does something while the instructions come true, all of them."""
    test = told(("/retry_test", json.dumps({"instructions": {method: instructions}, "transport": "HTTP"}).encode()))
    do(storage.Client(extra_headers={"x-retry-test-id": test["id"]}).bucket(bucket.name))
    assert told(("/retry_test/" + test["id"], None))["completed"], instructions


for n, instructions in enumerate([
    ["return-503", "return-reset-connection"],
    ["return-503-after-256K"],
    ["return-503-after-1000K", "return-503-after-1025K", "return-503-after-4097K", "return-408"],
    ["return-503-after-9216K"],
    ["lose-answer", "lose-answer"],
]):
    def upload(b):
        blob = b.blob("big-%d" % n, chunk_size=2 << 20)
        blob.upload_from_string(big, if_generation_match=0, retry=retry)
        assert blob.size == len(big)

    breaks("storage.objects.insert", instructions, upload)
    assert bucket.blob("big-%d" % n).download_as_bytes() == big, instructions

for instructions in [["return-broken-stream"], ["return-broken-stream-after-256K", "return-503"], ["return-reset-connection"]]:
    def download(b):
        assert b.blob("big-0").download_as_bytes(retry=retry) == big
        assert b.blob("big-0").download_as_bytes(start=5, end=(4 << 20) + 5, retry=retry) == big[5:(4 << 20) + 6]

    breaks("storage.objects.get", instructions, download)
