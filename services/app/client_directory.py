"""Serves a data directory for the client library, which does not import the server side."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from mutua import FieldViolation
from mutua import MutuaError as ClientError
from services.app.bootstrap import serve_embedded
from services.ledger.errors import MutuaError


# decision 0108: the holder of a directory serves it
@contextmanager
def serve_directory(directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
    """See `mutua.location.DirectoryOpener`. pyproject.toml registers it as an entry point."""
    try:
        with serve_embedded(
            directory,
            purpose=purpose,
            write=not read_only,
            lock_seconds=0.0,  # the client library waits
        ) as running:
            yield running.address
    except MutuaError as error:
        raise ClientError(
            error.message,
            code=grpc.StatusCode[error.code],
            reason=error.reason,
            field_violations=[
                FieldViolation(violation.field, violation.description)
                for violation in error.violations
            ],
        ) from error
    except OSError as error:
        raise ClientError(
            f"The data directory {directory} cannot be used: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}. Name a directory that this user "
            "can write, or a new one next to it.",
            code=grpc.StatusCode.FAILED_PRECONDITION,
        ) from error
