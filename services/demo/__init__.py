"""The generated programme that `mutua demo` records."""

from typing import Final

CLIENT: Final = "mutua-demo"
"""The program that every generated fact names as its source."""
