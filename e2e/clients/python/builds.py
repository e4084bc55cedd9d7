"""Create, wait for, get, list and retry builds, with Google's own library for
Cloud Build in Python.

SUNYA_SOURCE  bucket/object of a source with a Dockerfile
"""

import os

from connect import TRANSPORT, WAIT, client, refused
from google.api_core import exceptions
from google.cloud.devtools import cloudbuild_v1

IMAGE = f"gcr.io/sunya/python-{TRANSPORT}"
builds = client(cloudbuild_v1.CloudBuildClient)
bucket, name = os.environ["SUNYA_SOURCE"].split("/", 1)


def build(*args):
    """A build with docker's own arguments."""
    return cloudbuild_v1.Build(
        source=cloudbuild_v1.Source(storage_source=cloudbuild_v1.StorageSource(bucket=bucket, object_=name)),
        steps=[cloudbuild_v1.BuildStep(name="gcr.io/cloud-builders/docker", args=args)],
        images=[IMAGE],
        tags=["python"],
    )


done = builds.create_build(project_id="sunya", build=build("build", "-t", IMAGE, ".")).result(timeout=WAIT)
assert done.status == cloudbuild_v1.Build.Status.SUCCESS, done
assert done.results.images[0].name.startswith(IMAGE), done.results
assert done.results.images[0].digest.startswith("sha256:"), done.results
assert builds.get_build(project_id="sunya", id=done.id).id == done.id

failed = builds.create_build(project_id="sunya", build=build("build", "-t", IMAGE, "-f", "nowhere", "."))
refused(exceptions.GoogleAPICallError, failed.result, timeout=WAIT)
broken = builds.get_build(project_id="sunya", id=failed.metadata.build.id)
assert broken.status == cloudbuild_v1.Build.Status.FAILURE and "nowhere" in broken.status_detail, broken

pages = builds.list_builds(request={"project_id": "sunya", "page_size": 1, "filter": 'status="SUCCESS"'})
assert done.id in [b.id for b in pages] and broken.id not in [b.id for b in pages]
again = builds.retry_build(project_id="sunya", id=done.id).result(timeout=WAIT)
assert again.id != done.id and again.status == cloudbuild_v1.Build.Status.SUCCESS, again
refused(exceptions.NotFound, builds.get_build, project_id="sunya", id="00000000-0000-0000-0000-000000000000")
print("ok", TRANSPORT)
