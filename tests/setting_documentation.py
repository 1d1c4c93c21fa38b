"""Writes the table of settings into `deploy/README.md`: `make settings`."""

from services.setting_table import SETTINGS
from tests.faults.server_process import ROOT

DOCUMENT = ROOT / "deploy/README.md"
HEAD = "| environment | default | unit or form | read by | meaning |\n|---|---|---|---|---|\n"


def replace_table(text: str) -> str:
    """The document with the table of settings as it is now."""
    before, _, rest = text.partition(HEAD)
    rows = "\n".join(setting.documentation for setting in SETTINGS.values())
    return f"{before}{HEAD}{rows}\n\n{rest.partition(chr(10) * 2)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(replace_table(DOCUMENT.read_text()))
