"""How the programs of this directory reach the platform.

SUNYA_SERVER     where the platform answers, http://127.0.0.1:8080 by default
SUNYA_TRANSPORT  grpc (default) or rest
"""

import os

import grpc
from google.auth.credentials import AnonymousCredentials

HOST = os.environ.get("SUNYA_SERVER", "http://127.0.0.1:8080").removeprefix("http://").rstrip("/")
TRANSPORT = os.environ.get("SUNYA_TRANSPORT", "grpc")
WAIT = 120  # seconds for one operation


def client(cls):
    """A client of a Google library without credentials and without TLS."""
    transport = cls.get_transport_class(TRANSPORT)
    if TRANSPORT == "grpc":
        return cls(transport=transport(channel=grpc.insecure_channel(HOST)))
    return cls(transport=transport(host=HOST, url_scheme="http", credentials=AnonymousCredentials()))


def refused(error, call, *args, **kwargs):
    """Returns the error of this class with which the call fails."""
    try:
        call(*args, **kwargs)
    except error as e:
        return e
    raise AssertionError(f"no {error.__name__}")
