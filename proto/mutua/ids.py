"""Event ids, new or derived from content, because Python 3.11 creates neither version."""

import hashlib
import os
import time
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from mutua.v1.event_pb2 import Event


def uuid7() -> str:
    """A new RFC 9562 UUID, version 7: milliseconds since 1970, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    return _with_version(milliseconds.to_bytes(6, "big") + os.urandom(10), 7)


def uuid8(*parts: str) -> str:
    """The UUID, version 8, derived from `parts`, the first of which names the rule.

    The first 16 bytes of SHA-256 over each part's UTF-8 preceded by its length in 4 bytes, big
    end first, so that ("ab", "c") and ("a", "bc") differ.
    """
    return _with_version(_digest(parts)[:16], 8)


def uuid7_of(milliseconds: int, *parts: str) -> str:
    """The UUID, version 7, of a time since 1970, whose other bits are derived as in `uuid8`."""
    return _with_version(milliseconds.to_bytes(6, "big") + _digest(parts)[:10], 7)


def resubmission_id(programme_id: str, record: bytes) -> str:
    """The event id under which a quarantined record is resubmitted.

    There is one, so that a resubmission counts once and a second, different one does not count. It
    is the same on every log that the record is moved to, and for records that are equal.
    """
    digest = hashlib.sha256(_as_recorded(record)).hexdigest()
    return uuid8("resubmission", programme_id, digest)


def _as_recorded(record: bytes) -> bytes:
    """A record without the time of its first log, which a move puts behind it."""
    try:
        event = Event.FromString(record)
    except DecodeError:
        return record
    if not event.HasField("record_time"):
        return record
    return record.removesuffix(Event(record_time=event.record_time).SerializeToString())


def _digest(parts: Sequence[str]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.digest()


def _with_version(value: bytes, version: int) -> str:
    bits = bytearray(value)
    bits[6] = version << 4 | bits[6] & 0x0F
    bits[8] = 0x80 | bits[8] & 0x3F
    digits = bits.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
