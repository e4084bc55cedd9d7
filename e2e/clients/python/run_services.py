"""Create, list with paging, get, update with mask and etag, move traffic, open,
delete and wait, with Google's own Cloud Run library for Python.

SUNYA_IMAGE  an image that answers requests
"""

import os
import time

from connect import TRANSPORT, WAIT, client, refused
from google.api_core import exceptions
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import field_mask_pb2

IMAGE = os.environ["SUNYA_IMAGE"]
PARENT = "projects/sunya/locations/local"


def service(**env):
    variables = [run_v2.EnvVar(name=k, value=v) for k, v in env.items()]
    return run_v2.Service(
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=IMAGE, env=variables)])
    )


def main():
    services, revisions = client(run_v2.ServicesClient), client(run_v2.RevisionsClient)
    stamp = f"py{TRANSPORT}{int(time.time())}"
    ids = [stamp + "-a", stamp + "-b"]
    for name in ids:
        made = services.create_service(
            request=run_v2.CreateServiceRequest(parent=PARENT, service_id=name, service=service(COLOUR="blue"))
        ).result(timeout=WAIT)
        assert made.name == f"{PARENT}/services/{name}" and made.uri, made
        assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED, made
        print("created", made.name, made.uri)

    pages = services.list_services(request=run_v2.ListServicesRequest(parent=PARENT, page_size=1))
    listed = [s.name.rsplit("/", 1)[1] for s in pages if stamp in s.name]
    assert listed == ids, listed

    def update(change, *paths):
        return services.update_service(
            request=run_v2.UpdateServiceRequest(service=change, update_mask=field_mask_pb2.FieldMask(paths=paths))
        ).result(timeout=WAIT)

    name = f"{PARENT}/services/{ids[0]}"
    first = services.get_service(request=run_v2.GetServiceRequest(name=name))
    change = service(COLOUR="red")
    change.name, change.etag = name, first.etag
    second = update(change, "template.containers")
    assert second.latest_ready_revision != first.latest_ready_revision, second
    stale = exceptions.Aborted if TRANSPORT == "grpc" else exceptions.Conflict
    assert "etag" in refused(stale, update, change, "template.containers").message

    old = first.latest_ready_revision.rsplit("/", 1)[1]
    kinds = run_v2.TrafficTargetAllocationType
    change = run_v2.Service(
        name=name,
        traffic=[
            run_v2.TrafficTarget(type_=kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, revision=old, percent=90),
            run_v2.TrafficTarget(type_=kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, percent=10, tag="next"),
        ],
    )
    moved = update(change, "traffic")
    assert [t.percent for t in moved.traffic_statuses] == [90, 10], moved
    assert "next---" in moved.traffic_statuses[1].uri, moved

    pages = revisions.list_revisions(request=run_v2.ListRevisionsRequest(parent=name, page_size=1))
    assert [r.name for r in pages] == [second.latest_ready_revision, first.latest_ready_revision]
    revision = revisions.get_revision(request=run_v2.GetRevisionRequest(name=first.latest_ready_revision))
    assert revision.containers[0].env[0].value == "blue" and "@sha256:" in revision.containers[0].image, revision
    denied = exceptions.FailedPrecondition if TRANSPORT == "grpc" else exceptions.BadRequest
    refused(denied, revisions.delete_revision, request=run_v2.DeleteRevisionRequest(name=first.latest_ready_revision))

    binding = policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])
    services.set_iam_policy(
        request=iam_policy_pb2.SetIamPolicyRequest(resource=name, policy=policy_pb2.Policy(bindings=[binding]))
    )
    policy = services.get_iam_policy(request=iam_policy_pb2.GetIamPolicyRequest(resource=name))
    assert policy.bindings[0].members[0] == "allUsers", policy

    for each in ids:
        gone = services.delete_service(
            request=run_v2.DeleteServiceRequest(name=f"{PARENT}/services/{each}")
        ).result(timeout=WAIT)
        assert gone.delete_time, gone
    refused(exceptions.NotFound, services.get_service, request=run_v2.GetServiceRequest(name=name))

    odd = service()
    odd.template.containers[0].image = ""
    bad = refused(
        exceptions.InvalidArgument if TRANSPORT == "grpc" else exceptions.BadRequest,
        services.create_service,
        request=run_v2.CreateServiceRequest(parent=PARENT, service_id=stamp, service=odd),
    )
    assert "service.template.containers[0].image" in bad.message, bad
    print("ok", TRANSPORT)


if __name__ == "__main__":
    main()
