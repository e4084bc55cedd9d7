"""What a program does with objects, in the order in which it does it."""
from google.cloud import storage

client = storage.Client()
bucket = client.create_bucket("everyday-python")

blob = bucket.blob("notes/hello.txt")
blob.upload_from_string("hello, world", content_type="text/plain")
assert blob.download_as_bytes() == b"hello, world"
assert blob.download_as_bytes(start=7, end=11) == b"world"
assert blob.generation and blob.crc32c and blob.md5_hash

big = bytes(range(256)) * (9 * 4096)  # 9 MiB, in chunks of 1
parts = bucket.blob("big.bin", chunk_size=1 << 20)
parts.upload_from_string(big)
assert bucket.blob("big.bin").download_as_bytes() == big
