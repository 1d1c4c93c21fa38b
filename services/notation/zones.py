"""Reads names of time zones."""

import difflib
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from services.notation.errors import NotationError


def read_zone(name: str) -> tzinfo:
    """The zone called `name`, such as Australia/Sydney. Raises NotationError with near misses."""
    zone_name = name.strip().replace(" ", "_")
    if zone_name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    zones = {zone.casefold(): zone for zone in available_timezones()}
    if exact := zones.get(zone_name.casefold()):
        try:
            return ZoneInfo(exact)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise NotationError(f"cannot be read on this machine: {error}") from error
    near = _resembling(zone_name, sorted(zones.values()))
    hint = " or ".join(near) if near else "Australia/Sydney"
    raise NotationError("is no time zone", remedy=f"write AREA/CITY, such as {hint}")


def _resembling(zone_name: str, zones: list[str]) -> list[str]:
    """Zones of that city, else zones with a similar name."""
    city = zone_name.rpartition("/")[2].casefold()
    places = {zone.casefold(): zone for zone in zones if "/" in zone}
    same = [zone for folded, zone in places.items() if folded.rpartition("/")[2] == city]
    if same:
        return same[:3]
    alike = difflib.get_close_matches(zone_name.casefold(), places, n=2)
    cities = {folded.rpartition("/")[2]: zone for folded, zone in places.items()}
    alike_cities = difflib.get_close_matches(city, cities, n=2)
    names = [places[each] for each in alike] + [cities[each] for each in alike_cities]
    return list(dict.fromkeys(names))[:3]
