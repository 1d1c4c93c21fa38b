"""One connection of a client, with the limits that uvicorn does not have."""

from uvicorn.protocols.http.h11_impl import H11Protocol


class HttpConnection(H11Protocol):
    """A connection of HTTP/1.1."""
