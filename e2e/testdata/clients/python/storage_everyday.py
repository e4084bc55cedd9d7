"""What a program does with objects, in the order in which it does it."""
import gzip
import os

import google.api_core.exceptions
from google.cloud import storage
from google.cloud.storage import transfer_manager

client = storage.Client()
bucket = client.create_bucket("everyday-python")
assert [b.name for b in client.list_buckets(prefix="everyday-p")] == ["everyday-python"]

blob = bucket.blob("notes/hello.txt")
blob.metadata = {"color": "red"}
blob.upload_from_string("hello, world", content_type="text/plain")
assert blob.download_as_bytes() == b"hello, world"
assert blob.download_as_bytes(start=7, end=11) == b"world"
assert blob.generation and blob.crc32c and blob.md5_hash

# In chunks of 1 MiB, and side by side in parts.
big = os.urandom(1 << 20) * 9
parts = bucket.blob("big.bin", chunk_size=1 << 20)
parts.upload_from_string(big)
assert bucket.blob("big.bin").download_as_bytes() == big
with open("big", "wb") as f:
    f.write(big)
transfer_manager.upload_chunks_concurrently("big", bucket.blob("parts.bin"), chunk_size=5 << 20, worker_type=transfer_manager.THREAD)
transfer_manager.download_chunks_concurrently(bucket.blob("parts.bin"), "back", chunk_size=4 << 20, worker_type=transfer_manager.THREAD)
assert open("back", "rb").read() == big

# Preconditions.
try:
    bucket.blob("notes/hello.txt").upload_from_string("x", if_generation_match=0)
    raise AssertionError("a precondition was not looked at")
except google.api_core.exceptions.PreconditionFailed:
    pass
blob.reload()
blob.metadata = {"color": None, "size": "small"}
blob.patch(if_metageneration_match=blob.metageneration)
assert bucket.get_blob("notes/hello.txt").metadata == {"size": "small"}

# Lists.
for name in "a/1", "a/2", "b":
    bucket.blob("list/" + name).upload_from_string(name)
found = client.list_blobs(bucket, prefix="list/", delimiter="/", page_size=1)
assert [b.name for b in found] == ["list/b"] and found.prefixes == {"list/a/"}

# What is stored compressed is plain to who wants it so.
packed = bucket.blob("packed")
packed.content_encoding = "gzip"
packed.upload_from_string(gzip.compress(b"plain"), content_type="text/plain")
assert packed.download_as_bytes() == b"plain"
assert gzip.decompress(packed.download_as_bytes(raw_download=True)) == b"plain"

# Several calls in one request.
with client.batch():
    for name in "a/1", "a/2", "b":
        bucket.blob("list/" + name).delete()
assert not list(client.list_blobs(bucket, prefix="list/"))
try:
    with client.batch():
        bucket.blob("none").delete()
    raise AssertionError("an error in a batch was not told")
except google.api_core.exceptions.NotFound:
    pass
