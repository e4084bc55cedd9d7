"""Upload, create, call, list with paging, update with a mask and delete functions
of both generations, with Google's own library for Python.

SUNYA_ZIP  a file: the zipped source of a function named hello
"""

import os
import urllib.request

from connect import TRANSPORT, WAIT, client, refused
from google.api_core import exceptions
from google.cloud import functions_v1, functions_v2
from google.protobuf import field_mask_pb2

PARENT = "projects/sunya/locations/us-central1"
with open(os.environ["SUNYA_ZIP"], "rb") as f:
    SOURCE = f.read()


def upload(url):
    """Puts the source to where the platform says, as gcloud does."""
    put = urllib.request.Request(url, data=SOURCE, method="PUT", headers={"Content-Type": "application/zip"})
    urllib.request.urlopen(put).close()
    return url


def second():
    """Functions of the second generation."""
    functions = client(functions_v2.FunctionServiceClient)
    link = functions.generate_upload_url(request={"parent": PARENT})
    upload(link.upload_url)
    name = f"{PARENT}/functions/python-{TRANSPORT}"
    wanted = functions_v2.Function(
        name=name,
        build_config=functions_v2.BuildConfig(
            runtime="python311", entry_point="hello", source=functions_v2.Source(storage_source=link.storage_source)
        ),
        service_config=functions_v2.ServiceConfig(environment_variables={"COLOUR": "blue"}),
    )
    request = {"parent": PARENT, "function": wanted, "function_id": name.rsplit("/", 1)[1]}
    made = functions.create_function(request=request).result(timeout=WAIT)
    assert made.state == functions_v2.Function.State.ACTIVE and made.url, made
    pages = functions.list_functions(request={"parent": PARENT, "page_size": 1})
    assert name in [f.name for f in pages]
    change = functions_v2.Function(name=name, service_config={"environment_variables": {"COLOUR": "red"}})
    mask = field_mask_pb2.FieldMask(paths=["service_config.environment_variables"])
    changed = functions.update_function(function=change, update_mask=mask).result(timeout=WAIT)
    assert changed.service_config.environment_variables["COLOUR"] == "red", changed
    functions.delete_function(name=name).result(timeout=WAIT)
    refused(exceptions.NotFound, functions.get_function, name=name)


def first():
    """Functions of the first generation."""
    functions = client(functions_v1.CloudFunctionsServiceClient)
    name = f"{PARENT}/functions/python-{TRANSPORT}-1"
    wanted = functions_v1.CloudFunction(
        name=name,
        runtime="python311",
        entry_point="hello",
        source_upload_url=upload(functions.generate_upload_url(request={"parent": PARENT}).upload_url),
        https_trigger=functions_v1.HttpsTrigger(),
    )
    made = functions.create_function(location=PARENT, function=wanted).result(timeout=WAIT)
    assert made.status == functions_v1.CloudFunctionStatus.ACTIVE, made
    assert "Hello World" in functions.call_function(name=name, data="{}").result
    change = functions_v1.CloudFunction(name=name, labels={"a": "b"})
    request = {"function": change, "update_mask": field_mask_pb2.FieldMask(paths=["labels"])}
    changed = functions.update_function(request=request).result(timeout=WAIT)
    assert changed.labels["a"] == "b" and changed.entry_point == "hello", changed
    assert name in [f.name for f in functions.list_functions(request={"parent": PARENT, "page_size": 1})]
    functions.delete_function(name=name).result(timeout=WAIT)
    refused(exceptions.NotFound, functions.get_function, name=name)


second()
first()
print("ok", TRANSPORT)
