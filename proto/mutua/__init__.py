"""Records facts in a mutua server and asks what they add up to: see `Client`."""

from mutua.client import Client, Recorded
from mutua.errors import FieldViolation, MutuaError
from mutua.pages import Pages

__all__ = ["Client", "FieldViolation", "MutuaError", "Pages", "Recorded"]
