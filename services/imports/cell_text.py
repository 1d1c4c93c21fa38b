"""Formats values of workbooks as a person would have typed them in a CSV."""

from datetime import date, datetime, time, timedelta


def format_number(value: float) -> str:
    """Up to 15 digits, as in spreadsheets: 45.0 is "45", 0.1 + 0.2 is "0.3"."""
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return f"{value:.15g}"


def format_moment(value: date, *, month_only: bool = False, year_only: bool = False) -> str:
    """An ISO date or time, no finer than its cell shows it."""
    if isinstance(value, datetime) and value.microsecond:
        value = (value + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(value, datetime) and value.time() != time():
        return value.isoformat()
    if year_only:
        return f"{value:%Y}"
    return f"{value:%Y-%m}" if month_only else f"{value:%Y-%m-%d}"


def format_duration(value: time | timedelta) -> str:
    """An ISO duration in hours, minutes and seconds, such as "PT30H15M".

    A time of day is formatted as a duration too, because spreadsheets store both alike.
    """
    if isinstance(value, time):
        value = timedelta(
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
            microseconds=value.microsecond,
        )
    seconds = round(abs(value).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    text = "".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0S"
    return f"{'-' if value < timedelta() and text != '0S' else ''}PT{text}"
