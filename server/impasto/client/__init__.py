"""What a program needs to talk to the daemon: the standard library and rpyc, Python 3.10.

    with connect() as client:
        meta, data = client.run(job_json, {"kind": "pixels", ...}, pixels, progress, stop_event)

It is copied as it is into the plug-ins for GIMP and Krita, so it imports nothing else of Impasto.
"""

from .connection import ENDED, Client, connect
from .errors import Cancelled, ClientError, ConnectionLost, JobFailed, NoDaemon, Refused
from .handshake import PROTOCOL

__all__ = [
    "ENDED",
    "PROTOCOL",
    "Cancelled",
    "Client",
    "ClientError",
    "ConnectionLost",
    "JobFailed",
    "NoDaemon",
    "Refused",
    "connect",
]
