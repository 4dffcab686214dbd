"""What went wrong with a server behind the API server, in the words that its clients know from upstream."""

from __future__ import annotations

import os
import ssl

from pybernetes.apiserver.forwarding import locations

NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING")


def text(error: BaseException, location: locations.Location) -> str:
    """`error` is what a connection to the location, or a request over it, failed with."""
    at = f"{location.host}:{location.number}" if ":" not in location.host else f"[{location.host}]:{location.number}"
    # aiohttp keeps the cause in an error of its own.
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(cause, TimeoutError):
        return f"dial tcp {at}: i/o timeout"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        if cause.reason in NO_TLS:
            return "tls: first record does not look like a TLS handshake"
        return f"tls: {cause.reason or cause}"
    if isinstance(cause, ConnectionRefusedError):
        return f"dial tcp {at}: connect: connection refused"
    if isinstance(cause, ConnectionResetError) and cause.errno:
        return f"read tcp {at}: read: connection reset by peer"
    if isinstance(cause, BrokenPipeError) and cause.errno:
        return f"write tcp {at}: write: broken pipe"
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return f"dial tcp {at}: connect: {os.strerror(cause.errno).lower()}"
    if isinstance(cause, (ConnectionError, EOFError)):
        return "EOF"
    return str(cause) or type(cause).__name__
