"""How a failure is told: a sentence for people, one JSON object for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import click

from mutua import FieldViolation
from mutua import MutuaError as ClientError
from services.ledger.errors import MutuaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong; `code` is a gRPC status by name, `reason` one of the contract's or ""."""

    message: str
    code: str
    reason: str = ""
    request_id: str = ""
    """Under which a server's log tells of it; "" when no server was asked."""
    violations: tuple[FieldViolation, ...] = ()

    @classmethod
    def of(cls, error: MutuaError | ClientError | OSError) -> "Failure":
        match error:
            case MutuaError():
                return cls(
                    message=error.message,
                    code=error.code,
                    reason=error.reason,
                    violations=tuple(
                        FieldViolation(violation.field, violation.description)
                        for violation in error.violations
                    ),
                )
            case ClientError():
                return cls(
                    message=error.message,
                    code=error.code.name,
                    reason=error.reason,
                    request_id=error.request_id,
                    violations=error.field_violations,
                )
            case _:
                told = f"{error.filename}: {error.strerror}" if error.filename else str(error)
                return cls(message=told, code="UNKNOWN")

    def show(self, words: Sequence[str]) -> None:
        """Writes to stderr, in the format that the words of the command line ask for."""
        if wants_json(words):
            click.echo(json.dumps({"error": self._document()}, ensure_ascii=False), err=True)
            return
        click.echo(f"error: {self.message}", err=True)
        for violation in self.violations:
            if violation.description in self.message:  # the only one has been told
                continue
            click.echo(f"  {violation.field}: {violation.description}", err=True)

    def _document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "request_id": self.request_id,
            "field_violations": [asdict(violation) for violation in self.violations],
        }


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, even one that cannot be understood."""
    return "--format=json" in words or ("--format", "json") in pairwise(words)
