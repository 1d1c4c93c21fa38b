"""Smaller responses for browsers that take gzip, compressed once for all of them."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from starlette.datastructures import Headers

MIN_BYTES: Final = 500
"""Shorter contents are sent as they are: gzip would save no packet."""
_LEVEL: Final = 6


class Compressed(NamedTuple):
    """A content, and the same in gzip; both are equal if it is short."""

    content: bytes
    gzipped: bytes

    @property
    def size(self) -> int:
        return len(self.content) + len(self.gzipped)

    def select(self, request: Headers) -> tuple[bytes, dict[str, str]]:
        """What to send, and the headers that say so."""
        headers = {"Vary": "Accept-Encoding, mutua-organization"}
        if self.gzipped is self.content or "gzip" not in request.get("accept-encoding", ""):
            return self.content, headers
        return self.gzipped, {**headers, "Content-Encoding": "gzip"}


def compress(content: bytes) -> Compressed:
    """The content with its compressed form. Takes about 10 ms for 400 kB."""
    if len(content) < MIN_BYTES:
        return Compressed(content, content)
    return Compressed(content, gzip.compress(content, _LEVEL, mtime=0))


@lru_cache(maxsize=200)
def compress_file(path: Path, _changed: float) -> Compressed:
    """A file of the page; `_changed` is when it last changed."""
    return compress(path.read_bytes())
