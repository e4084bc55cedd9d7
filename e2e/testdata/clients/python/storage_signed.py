"""URLs and forms that are signed, and a client of S3 with an HMAC key."""
import base64
import datetime
import os
import urllib.error
import urllib.request

import boto3
import requests
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from google.auth import credentials as ga
from google.cloud import storage

host = os.environ["STORAGE_EMULATOR_HOST"]
project = os.environ["GOOGLE_CLOUD_PROJECT"]
account = f"{project}@appspot.gserviceaccount.com"


class Account(ga.AnonymousCredentials, ga.Signing):
    """The service account, whose key the server has and uses for its owner."""

    def sign_bytes(self, message):
        answer = requests.post(
            f"{host}/v1/projects/-/serviceAccounts/{account}:signBlob",
            json={"payload": base64.b64encode(message).decode()},
        )
        answer.raise_for_status()
        return base64.b64decode(answer.json()["signedBlob"])

    @property
    def signer_email(self):
        return account

    @property
    def signer(self):
        return self


client = storage.Client()
bucket = client.create_bucket("signed")
blob = bucket.blob("dir/a b+c&d.txt")
minute = datetime.timedelta(minutes=1)


def sign(version="v4", expiration=minute, **more):
    return blob.generate_signed_url(
        version=version, expiration=expiration, credentials=Account(), api_access_endpoint=host, **more
    )


# What was signed is done, and nothing else.
for version in "v4", "v2":
    put = sign(version, method="PUT", content_type="text/plain", headers={"x-goog-meta-from": version})
    answer = requests.put(put, b"hello", headers={"Content-Type": "text/plain", "x-goog-meta-from": version})
    assert answer.status_code == 200, answer.text
    answer = requests.put(put, b"hello", headers={"Content-Type": "text/html", "x-goog-meta-from": version})
    assert answer.status_code == 403 and "SignatureDoesNotMatch" in answer.text, answer.text
    assert requests.delete(put).status_code == 403
    got = requests.get(sign(version, response_disposition="attachment"))
    assert got.content == b"hello" and got.headers["Content-Disposition"] == "attachment", got.text
    assert got.headers["x-goog-meta-from"] == version
late = requests.get(sign(expiration=minute).replace("X-Goog-Expires=60", "X-Goog-Expires=604801"))
assert late.status_code == 400 and "InvalidArgument" in late.text, late.text
old = requests.get(sign("v2", expiration=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)))
assert old.status_code == 400 and "ExpiredToken" in old.text, old.text

# A page of another origin may do what is signed.
page = {"Origin": "https://app.example"}
assert requests.get(sign(), headers=page).status_code == 200
assert requests.get(f"{host}/signed/{'dir/a%20b+c&d.txt'}", headers=page).status_code == 403

# A resumable upload begins with a signed request and goes on without.
start = requests.post(sign(method="RESUMABLE"), headers={"x-goog-resumable": "start"})
assert start.status_code == 201, start.text
done = requests.put(start.headers["Location"], b"resumed", headers=page)
assert done.status_code == 200 and blob.download_as_bytes() == b"resumed", done.text

# A form.
policy = client.generate_signed_post_policy_v4(
    "signed", "form/${filename}", expiration=minute, credentials=Account(), service_account_email=None,
    conditions=[["content-length-range", 1, 8]], fields={"x-goog-meta-by": "form"}, scheme="http",
    bucket_bound_hostname=host + "/signed",
)
url = host + "/signed"
answer = requests.post(url, data=policy["fields"], files={"file": ("a.txt", b"of form")}, headers=page)
assert answer.status_code == 204, answer.text
assert bucket.get_blob("form/a.txt").metadata == {"by": "form"}
answer = requests.post(url, data=policy["fields"], files={"file": ("a.txt", b"too large!")})
assert answer.status_code == 400 and "EntityTooLarge" in answer.text, answer.text

# S3's client.
key, secret = client.create_hmac_key(service_account_email=account, project_id=project)


def s3_client(secret):
    return boto3.client(
        "s3", endpoint_url=host, region_name="auto", aws_access_key_id=key.access_id, aws_secret_access_key=secret,
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required",
                      s3={"addressing_style": "path"}),
    )


s3 = s3_client(secret)
s3.put_object(Bucket="signed", Key="s3/a b", Body=b"of s3", Metadata={"by": "boto"})
got = s3.get_object(Bucket="signed", Key="s3/a b")
assert got["Body"].read() == b"of s3" and got["Metadata"] == {}, got["Metadata"]
assert bucket.get_blob("s3/a b").metadata == {"by": "boto"}
big = os.urandom(1 << 20) * 11
with open("big", "wb") as f:
    f.write(big)
s3.upload_file("big", "signed", "s3/big", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
assert bucket.blob("s3/big").download_as_bytes() == big
s3.download_file("signed", "s3/big", "back", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
assert open("back", "rb").read() == big
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="signed", Prefix="s3/", PaginationConfig={"PageSize": 1})
assert [o["Key"] for p in pages for o in p["Contents"]] == ["s3/a b", "s3/big"]
s3.copy_object(Bucket="signed", Key="s3/copy", CopySource={"Bucket": "signed", "Key": "s3/a b"})
assert requests.get(s3.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "s3/copy"})).content == b"of s3"
assert len(s3.delete_objects(Bucket="signed", Delete={"Objects": [{"Key": "s3/copy"}, {"Key": "s3/big"}]})["Deleted"]) == 2
try:
    s3_client(secret[1:] + "x").list_buckets()
    raise AssertionError("a wrong secret was taken")
except s3.exceptions.ClientError as e:
    assert e.response["Error"]["Code"] == "SignatureDoesNotMatch", e
key.state = "INACTIVE"
key.update()
try:
    s3.list_buckets()
    raise AssertionError("a key was taken that is not active")
except s3.exceptions.ClientError as e:
    assert e.response["Error"]["Code"] == "InvalidAccessKeyId", e
key.delete()
assert list(client.list_hmac_keys(project_id=project)) == []
