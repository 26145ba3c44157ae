"""The command line. Every command works on the configured warehouse or, where there is none, on the local one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from enforcement_reporting.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--definitions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds catalog/ and expectations/ (default: ENFORCEMENT_DEFINITIONS, or the project's own).",
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is done to standard error.")
@click.pass_context
def main(context: click.Context, definitions: Path | None, verbose: bool) -> None:
    """Take units' submissions in, check them, and read the numbers out."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        stream=sys.stderr,
        format="%(levelname)s %(name)s: %(message)s",
    )
    context.obj = Settings.from_environment(definitions)


class CannotBeDone(click.ClickException):
    """Something that keeps a command from being carried out at all."""

    exit_code = 3


@main.command()
@click.argument("form")
@click.option("--period", required=True, metavar="PERIOD", help="Its id, or words for it such as 2025年9月.")
@click.option("--unit", metavar="UNIT", help="Its id or name (default: every unit that owes the form).")
@click.option("--consolidated", is_flag=True, help="One table with a row for each unit, and the total row.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=".", help="Folder (default: this one)."
)
@click.pass_obj
def template(settings: Settings, form: str, period: str, unit: str | None, consolidated: bool, out: Path) -> None:
    """Write the workbooks in which units fill in FORM for a period; print the name of each."""
    from enforcement_reporting.catalog import CatalogError
    from enforcement_reporting.templates import TemplateError, write_templates

    try:
        for path in write_templates(settings.definitions, out, form, period, unit, consolidated=consolidated):
            click.echo(str(path))
    except (CatalogError, TemplateError) as error:
        raise CannotBeDone(str(error)) from None


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list of objects.")
@click.pass_obj
def check(settings: Settings, files: tuple[str, ...], as_json: bool) -> None:
    """Say what would be found in FILES if they were sent, without a warehouse and without sending them.

    Rules across forms are checked where both forms are in FILES; those that look at earlier periods are not. Exit
    status 0 if all is well, 1 if anything was found, 2 if a file could not be read, 3 if the command could not be
    carried out.
    """
    from enforcement_reporting import checking
    from enforcement_reporting.catalog import CatalogError

    try:
        checked = checking.check_files(settings.definitions, files)
    except CatalogError as error:
        raise CannotBeDone(str(error)) from None
    click.echo(checked.as_json() if as_json else "\n".join(checked.lines()))
    if as_json and (unchecked := checked.not_checked()):
        click.echo(unchecked, err=True)
    sys.exit(checked.exit_status)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--policy",
    type=click.Choice(["collect", "archive"]),
    default="collect",
    show_default=True,
    help="collect: an error returns the submission. archive: published material is taken as printed.",
)
@click.option("--received-at", metavar="INSTANT", help="When the files were received, ISO 8601 (default: now).")
@click.pass_obj
def ingest(settings: Settings, files: tuple[str, ...], policy: str, received_at: str | None) -> None:
    """Take FILES in, check them and build the marts; print what became of each, and every finding.

    Exit status 0 if all is well, 1 if anything was found, 2 if a file could not be read, 3 if the command could not
    be carried out.
    """
    instant = _instant(received_at)
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import intake, marts, quality, report

        intake.prepare(warehouse)
        received = intake.ingest_files(warehouse, [str(Path(file).absolute()) for file in files], policy, instant)
        checked = quality.check_submissions(warehouse)
        marts.build(warehouse)
        worst = report.print_outcomes(warehouse, received)
        if checked.data_docs:
            click.echo(f"Data Docs: {checked.data_docs}")
    sys.exit(worst)


@main.command()
@click.argument("mart")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; may be repeated.")
@click.option("--format", "file_format", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.pass_obj
def export(settings: Settings, mart: str, where: tuple[str, ...], file_format: str) -> None:
    """Write a mart to standard output, and nothing else there."""
    conditions = {}
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise click.BadParameter(f"expected COLUMN=VALUE, got {condition!r}", param_hint="--where")
        if column in conditions:
            raise click.BadParameter(f"{column} is named twice; a row has one value in it", param_hint="--where")
        conditions[column] = value
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import marts

        try:
            marts.export(warehouse, mart, conditions, "json" if file_format == "json" else "csv", sys.stdout)
        except ValueError as error:
            raise CannotBeDone(str(error)) from None


@main.command()
@click.pass_obj
def build(settings: Settings) -> None:
    """Check what is not checked yet and bring the marts up to date."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import intake, marts, quality

        intake.prepare(warehouse)
        checked = quality.check_submissions(warehouse)
        built = marts.build(warehouse)
        click.echo(f"checked {checked.submissions} submissions; marts {'built' if built['built'] else 'up to date'}")


@main.command()
@click.pass_obj
def summary(settings: Settings) -> None:
    """Print what is in the warehouse: outcomes, findings, key figures, rankings."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import report

        report.print_summary(warehouse)


@main.command()
@click.argument("submission_id")
@click.pass_obj
def impact(settings: Settings, submission_id: str) -> None:
    """Print every figure that SUBMISSION_ID moved when it came to stand: before, after.

    Later cumulative figures, comparisons and ranks are among them. Exit status 3 where there is no such submission.
    """
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import report

        try:
            report.print_impact(warehouse, submission_id)
        except ValueError as error:
            raise CannotBeDone(str(error)) from None


@main.command()
@click.argument("authority")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--form", "forms", multiple=True, help="Only this form; may be repeated (default: all).")
@click.option("--units", type=click.IntRange(1), help="The first so many units (default: all).")
@click.option("--periods", type=click.IntRange(1), default=1, show_default=True)
@click.option("--starting", type=click.DateTime(["%Y-%m-%d"]), help="First day (default: 2025-01-01).")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--layout",
    type=click.Choice(["unit", "consolidated"]),
    default="unit",
    show_default=True,
    help="unit: a workbook for each unit and period. consolidated: one for each period, all units in it.",
)
@click.pass_obj
def generate(
    settings: Settings,
    authority: str,
    folder: Path,
    forms: tuple[str, ...],
    units: int | None,
    periods: int,
    starting: datetime | None,
    seed: int,
    layout: str,
) -> None:
    """Write synthetic workbooks of AUTHORITY into FOLDER: consistent, and saying that they are synthetic."""
    from enforcement_reporting import generator
    from enforcement_reporting.catalog import CatalogError

    written = 0
    try:
        for _ in generator.generate(
            settings.definitions,
            folder,
            authority=authority,
            forms=forms or None,
            units=units,
            periods=periods,
            starting=starting.date() if starting else None,
            seed=seed,
            layout="unit" if layout == "unit" else "consolidated",
        ):
            written += 1
            if sys.stderr.isatty():
                click.echo(f"\r{written} workbooks", nl=False, err=True)
    except (CatalogError, generator.GenerationError) as error:
        raise CannotBeDone(str(error)) from None
    click.echo(f"{written} workbooks in {folder}")


@main.command()
@click.pass_obj
def validate(settings: Settings) -> None:
    """Check the catalog and the expectations; a fault is named with its file and key."""
    from enforcement_reporting.catalog import CatalogError, load_catalog
    from enforcement_reporting.quality import load_suites, load_timeliness

    try:
        catalog = load_catalog(settings.definitions)
        suites = load_suites(settings.definitions, catalog)
        timeliness = load_timeliness(settings.definitions, catalog)
    except CatalogError as error:
        raise CannotBeDone(str(error)) from None
    checks = sum(len(suite.checks) for suite in suites) + sum(len(suite.checks) for suite in timeliness)
    click.echo(
        f"{len(catalog.authorities)} authorities, {len(catalog.forms)} forms, {len(catalog.metrics)} metrics, "
        f"{len(catalog.scoreboards)} scoreboards, {len(suites) + len(timeliness)} suites with {checks} checks: "
        "all sound"
    )


@contextmanager
def _warehouse(settings: Settings) -> Iterator[Settings]:
    """Yield settings with a warehouse in them; what cannot work ends in one clear message."""
    import psycopg
    import sqlalchemy as sa

    from enforcement_reporting.catalog import CatalogError
    from enforcement_reporting.local.postgres import LocalServerError, local_warehouse
    from enforcement_reporting.marts import MartsError

    try:
        with local_warehouse(settings) as warehouse:
            yield warehouse
    except (CatalogError, LocalServerError, MartsError) as error:
        raise CannotBeDone(str(error)) from None
    except sa.exc.ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.UndefinedTable):
            raise CannotBeDone("the marts have not been built yet: take something in first") from None
        raise
    except (sa.exc.ArgumentError, sa.exc.OperationalError, psycopg.OperationalError) as error:
        raise CannotBeDone(f"the warehouse cannot be reached: {' '.join(str(error).split())}") from None


def _instant(text: str | None) -> datetime:
    """Return an instant with a time zone; one without is taken as local time."""
    if text is None:
        return datetime.now().astimezone()
    try:
        return datetime.fromisoformat(text).astimezone()
    except (OverflowError, ValueError):
        raise click.BadParameter(
            f"expected an ISO 8601 instant such as 2025-10-09T17:30+08:00, got {text!r}", param_hint="--received-at"
        ) from None
