"""Records facts in a mutua server and asks what they add up to: see `Client` and `AsyncClient`."""

from mutua.async_client import AsyncClient
from mutua.client import Client
from mutua.errors import FieldViolation, MissingLibraryError, MutuaError
from mutua.filters import Filters
from mutua.location import DirectoryLocation
from mutua.pages import AsyncPages, Pages
from mutua.recording import Recorded

__all__ = [
    "AsyncClient",
    "AsyncPages",
    "Client",
    "DirectoryLocation",
    "FieldViolation",
    "Filters",
    "MissingLibraryError",
    "MutuaError",
    "Pages",
    "Recorded",
]
