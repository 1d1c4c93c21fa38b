"""Limits of the contract: the server enforces them, and clients stay within them."""

from typing import Final

MAX_PAGE_SIZE: Final = 10_000
"""Maximum number of rows of a page, and of ids in a request."""
MAX_REQUEST_EVENTS: Final = 1_000
MAX_REQUEST_BYTES: Final = 1 << 20
"""Maximum size of a request, or of a message in a stream. Larger ones are REQUEST_TOO_LARGE."""
