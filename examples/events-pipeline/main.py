"""Two workers that each get every change of a bucket."""

import base64
import json
import posixpath

import functions_framework


def change(event):
    """What a bucket says of a change: the kind of it, and the object."""
    message = event.data["message"]
    return message["attributes"]["eventType"], json.loads(base64.b64decode(message["data"]))


@functions_framework.cloud_event
def catalogue(event):
    kind, o = change(event)
    folder, name = posixpath.split(o["name"])
    print(f"catalogue: {kind} {name} in {folder or '/'}, {o['contentType']}", flush=True)


@functions_framework.cloud_event
def ledger(event):
    kind, o = change(event)
    print(f"ledger: {kind} {o['name']}#{o['generation']} {o['size']} bytes, crc32c {o['crc32c']}", flush=True)
