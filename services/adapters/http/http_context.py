"""A call over HTTP, as the services see it."""

from urllib.parse import unquote

from starlette.requests import Request

from services.ledger.errors import InvalidArgumentError

ORGANIZATION_HEADER = "mutua-organization"


class HttpContext:
    """The headers of a request as the metadata of a call, which has no deadline.

    A caller that closes its connection cancels the call.
    """

    def __init__(self, request: Request) -> None:
        """Raises InvalidArgumentError if the caller's organization is not UTF-8."""
        self._metadata = [(name, value) for name, value in request.headers.items()]
        self.organization = _decode(request.headers.get(ORGANIZATION_HEADER, ""))
        if self.organization:
            self._metadata.insert(0, (ORGANIZATION_HEADER, self.organization))

    def invocation_metadata(self) -> list[tuple[str, str | bytes]]:
        return list(self._metadata)

    def time_remaining(self) -> float | None:
        return None


def _decode(organization: str) -> str:
    """Headers are ASCII, and names of organizations need not be."""
    try:
        return unquote(organization, errors="strict")
    except UnicodeDecodeError:
        raise InvalidArgumentError.for_field(
            ORGANIZATION_HEADER, "is not UTF-8 in percent-encoding"
        ) from None
