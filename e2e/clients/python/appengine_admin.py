"""Create, list with paging, get, change, move and migrate traffic, stop, start,
end instances, delete and wait, with Google's own App Engine admin library for
Python.

SUNYA_SERVER     where the platform answers, http://127.0.0.1:8080 by default
SUNYA_TRANSPORT  grpc (default) or rest
"""

import hashlib
import os
import time
import urllib.parse
import urllib.request

import grpc
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import appengine_admin_v1 as gae
from google.protobuf import field_mask_pb2

SERVER = os.environ.get("SUNYA_SERVER", "http://127.0.0.1:8080").rstrip("/")
TRANSPORT = os.environ.get("SUNYA_TRANSPORT", "grpc")
APP = "apps/sunya"
PARENT = APP + "/services/default"
WAIT = 120  # seconds for one operation

MAIN = """import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from %s")

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


def client(cls):
    """A client of the library without credentials and without TLS."""
    transport = cls.get_transport_class(TRANSPORT)
    if TRANSPORT == "grpc":
        channel = grpc.insecure_channel(SERVER.removeprefix("http://"))
        return cls(transport=transport(channel=channel))
    return cls(transport=transport(host=SERVER, credentials=AnonymousCredentials()))


def upload(bucket, content):
    """Store a file as gcloud does: named by its SHA-1. Returns its FileInfo."""
    name = hashlib.sha1(content).hexdigest()
    query = urllib.parse.urlencode({"uploadType": "media", "name": name})
    request = urllib.request.Request(
        f"{SERVER}/upload/storage/v1/b/{bucket}/o?{query}",
        data=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    urllib.request.urlopen(request, timeout=60).close()
    return gae.FileInfo(source_url=f"https://storage.googleapis.com/{bucket}/{name}", sha1_sum=name)


def version(bucket, name):
    return gae.Version(
        id=name,
        runtime="python311",
        entrypoint=gae.Entrypoint(shell="python3 main.py"),
        env_variables={"COLOUR": "blue"},
        deployment=gae.Deployment(files={"main.py": upload(bucket, (MAIN % name).encode())}),
    )


def expect(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error as e:
        return e
    raise AssertionError(f"{call.__name__} did not raise {error.__name__}")


def update(versions, name, paths, **fields):
    """Change a version in place and return it."""
    return versions.update_version(
        request=gae.UpdateVersionRequest(
            name=name, version=gae.Version(**fields), update_mask=field_mask_pb2.FieldMask(paths=paths)
        )
    ).result(timeout=WAIT)


def verbs(bucket, stamp):
    """What can be done to a version that exists. Leaves one with all traffic."""
    services, versions, instances = client(gae.ServicesClient), client(gae.VersionsClient), client(gae.InstancesClient)
    warm, manual = stamp + "-w", stamp + "-m"
    one, other = version(bucket, warm), version(bucket, manual)
    one.inbound_services = [gae.InboundServiceType.INBOUND_SERVICE_WARMUP]
    other.manual_scaling = gae.ManualScaling(instances=1)
    for v in (one, other):
        versions.create_version(request=gae.CreateVersionRequest(parent=PARENT, version=v)).result(timeout=WAIT)

    changed = update(
        versions,
        f"{PARENT}/versions/{warm}",
        ["instance_class", "automatic_scaling.max_idle_instances"],
        instance_class="F2",
        automatic_scaling=gae.AutomaticScaling(max_idle_instances=2),
    )
    assert changed.instance_class == "F2" and changed.automatic_scaling.max_idle_instances == 2, changed

    def split(allocations, migrate=False):
        return services.update_service(
            request=gae.UpdateServiceRequest(
                name=PARENT,
                service=gae.Service(
                    split=gae.TrafficSplit(shard_by=gae.TrafficSplit.ShardBy.COOKIE, allocations=allocations)
                ),
                update_mask=field_mask_pb2.FieldMask(paths=["split"]),
                migrate_traffic=migrate,
            )
        ).result(timeout=WAIT)

    halves = split({warm: 0.25, manual: 0.75})
    assert halves.split.allocations[manual] == 0.75, halves
    expect(exceptions.GoogleAPICallError, split, {warm: 0.5, manual: 0.6})
    expect(exceptions.GoogleAPICallError, split, {manual: 1.0}, migrate=True)
    migrate = TRANSPORT == "rest"  # once is enough for ten seconds
    assert split({warm: 1.0}, migrate=migrate).split.allocations[warm] == 1.0

    name = f"{PARENT}/versions/{manual}"
    for status in (gae.ServingStatus.STOPPED, gae.ServingStatus.SERVING):
        assert update(versions, name, ["serving_status"], serving_status=status).serving_status == status
    running = []
    deadline = time.time() + WAIT
    while not running and time.time() < deadline:  # it starts by itself
        running = list(instances.list_instances(request=gae.ListInstancesRequest(parent=name)))
        running = [i for i in running if ended(instances, i)]
    assert running, "no instance could be deleted"
    expect(exceptions.NotFound, instances.get_instance, request=gae.GetInstanceRequest(name=running[0].name))
    print("verbs", TRANSPORT)


def ended(instances, instance):
    """Delete an instance; False while it is still starting."""
    try:
        instances.delete_instance(request=gae.DeleteInstanceRequest(name=instance.name)).result(timeout=WAIT)
    except exceptions.NotFound:
        return False
    return True


def main():
    apps, services, versions = client(gae.ApplicationsClient), client(gae.ServicesClient), client(gae.VersionsClient)

    app = apps.get_application(request=gae.GetApplicationRequest(name=APP))
    assert app.serving_status == gae.Application.ServingStatus.SERVING, app
    bucket = app.code_bucket

    stamp = f"py{TRANSPORT}{int(time.time())}"
    first, second = stamp + "-a", stamp + "-b"
    for name in (first, second):
        operation = versions.create_version(
            request=gae.CreateVersionRequest(parent=PARENT, version=version(bucket, name))
        )
        made = operation.result(timeout=WAIT)
        assert made.name == f"{PARENT}/versions/{name}", made
        print("created", made.name)

    def listed():
        pages = versions.list_versions(request=gae.ListVersionsRequest(parent=PARENT, page_size=1))
        return [v.id for v in pages if v.id.startswith(stamp)]

    assert listed() == [first, second], listed()

    name = f"{PARENT}/versions/{first}"
    basic = versions.get_version(request=gae.GetVersionRequest(name=name))
    assert not basic.env_variables, basic
    full = versions.get_version(request=gae.GetVersionRequest(name=name, view=gae.VersionView.FULL))
    assert full.env_variables["COLOUR"] == "blue" and "main.py" in full.deployment.files, full

    split = gae.Service(split=gae.TrafficSplit(allocations={second: 1.0}))
    moved = services.update_service(
        request=gae.UpdateServiceRequest(
            name=PARENT, service=split, update_mask=field_mask_pb2.FieldMask(paths=["split"])
        )
    ).result(timeout=WAIT)
    assert moved.split.allocations[second] == 1.0, moved

    versions.delete_version(request=gae.DeleteVersionRequest(name=name)).result(timeout=WAIT)
    assert listed() == [second], listed()
    gone = expect(exceptions.NotFound, versions.get_version, request=gae.GetVersionRequest(name=name))
    assert "version not found" in gone.message, gone

    odd = version(bucket, stamp + "-c")
    odd.runtime = "cobol85"
    refused = expect(
        exceptions.InvalidArgument if TRANSPORT == "grpc" else exceptions.BadRequest,
        versions.create_version,
        request=gae.CreateVersionRequest(parent=PARENT, version=odd),
    )
    assert "version.runtime" in refused.message, refused
    verbs(bucket, stamp)
    print("ok", TRANSPORT)


if __name__ == "__main__":
    main()
