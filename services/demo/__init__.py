"""The generated programme that `mutua demo` records."""

from typing import Final

CLIENT: Final = "mutua-demo"
"""The client name in the source of every generated fact."""
