"""`doctor`: what keeps mutua from its work, or soon will, and what to do about it."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from services.cli.common_options import FORMAT_OPTION, setting_option
from services.cli.connection import GlobalOptions, require_directory
from services.cli.output import to_json
from services.setting_table import SETTINGS

if TYPE_CHECKING:
    from services.doctor.finding import Check


@click.command()
@setting_option("log_url", help="Log of a cluster; without it the data directory is checked.")
@setting_option("store_url", help="Database with the read models of a cluster.")
@FORMAT_OPTION
@click.pass_obj
def doctor(global_options: GlobalOptions, log_url: str, store_url: str, form: str) -> None:
    """Find problems and show their remedies.

    Checks settings, versions, log, read models, clocks and disks. It changes nothing and may run
    while other processes use the data. Exits 1 if there is a problem.

    \b
    Examples:
      mutua doctor
      mutua doctor --log-url kafka://127.0.0.1:9092/mutua --store-url postgresql://127.0.0.1/mutua
      mutua doctor --format json
    """
    from services.doctor.finding import FindingState, run_checks

    checks = _checks(global_options, {"log_url": log_url, "store_url": store_url})
    findings = list(run_checks(checks))
    is_ok = all(found.state is not FindingState.PROBLEM for _, found in findings)
    if form == "json":
        documents = [
            {"check": name, "state": found.state, "found": found.message, "remedy": found.remedy}
            for name, found in findings
        ]
        click.echo(to_json({"ok": is_ok, "checks": documents}))
    else:
        for name, found in findings:
            click.echo(f"{found.state:<8} {name:<12} {found.message}")
            if found.remedy:
                click.echo(f"{'':<21} {found.remedy}")
    sys.exit(0 if is_ok else 1)


def _checks(global_options: GlobalOptions, given: Mapping[str, str]) -> "Mapping[str, Check]":
    from services.doctor import cluster_checks, directory_checks

    setting_names = {setting.variable for setting in SETTINGS.values()}
    if any(given.values()):
        return cluster_checks.build_checks(
            setting_names, {name: value for name, value in given.items() if value}
        )
    require_directory(global_options, "mutua doctor")
    return directory_checks.build_checks(global_options.data, setting_names)
