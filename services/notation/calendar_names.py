"""Names of the months in English, German, French and Spanish."""

import unicodedata
from typing import Final

_NAMES: Final = """
jan january januar jaenner janner janvier janv enero ene
feb february februar fevrier fevr febrero
mar march maerz marz mrz mars marzo
apr april avril avr abril abr
may mai mayo
jun june juni juin junio
jul july juli juillet juil julio
aug august aout agosto ago
sep sept september septembre septiembre
oct okt october oktober octobre octubre
nov november novembre noviembre
dec dez december dezember decembre diciembre dic
"""
_MONTHS: Final = {
    name: month
    for month, line in enumerate(_NAMES.strip().splitlines(), start=1)
    for name in line.split()
}


def find_month(name: str) -> int:
    """The number of a month, 1 to 12; 0 for an unknown name."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    return _MONTHS.get("".join(letter for letter in folded if letter.isalpha()), 0)
