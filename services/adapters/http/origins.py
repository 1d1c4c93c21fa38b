"""Web sites whose pages may use HTTP."""

from urllib.parse import urlsplit


def parse_origins(text: str) -> tuple[str, ...]:
    """The origins of a list with commas. Raises ValueError for what is none."""
    origins = tuple(each.strip().rstrip("/") for each in text.split(",") if each.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is no origin: write https://HOST or http://HOST:PORT")
    return origins
