"""What the services need to know of a call, whether it came by gRPC or by HTTP."""

from collections.abc import Iterable
from typing import Protocol

from services.adapters.wire.values import tidy
from services.ledger.errors import InvalidFactError, Violation
from services.ledger.question import OPEN_SCOPE, Scope


class CallContext(Protocol):
    """The metadata of a call, and the time it has. A context of gRPC is one."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Values by name, in lower case."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None without one."""


def read_caller(context: CallContext) -> str:
    """The organization that the caller names in its metadata (open mode); "" if it names none."""
    for key, value in context.invocation_metadata() or ():
        if key == "mutua-organization-bin" and isinstance(value, bytes):
            try:
                return tidy(value.decode())
            except UnicodeDecodeError:
                raise InvalidFactError(
                    "the caller's organization is not UTF-8",
                    (Violation("metadata.mutua-organization-bin", "is not UTF-8"),),
                ) from None
        if key == "mutua-organization" and isinstance(value, str):
            return tidy(value)
    return ""


def scope_of(context: CallContext) -> Scope:
    """What the caller may see: everything in open mode."""
    organization_id = read_caller(context)
    return Scope(organization_id) if organization_id else OPEN_SCOPE
