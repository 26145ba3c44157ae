"""The command line. Every command works on the configured warehouse or, where there is none, on the local one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from enforcement_reporting.settings import Settings

if TYPE_CHECKING:
    import psycopg


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
    from enforcement_reporting.catalog import CatalogError, NotDeclared
    from enforcement_reporting.templates import TemplateError, write_templates

    try:
        for path in write_templates(settings.definitions, out, form, period, unit, consolidated=consolidated):
            click.echo(str(path))
    except (CatalogError, NotDeclared, TemplateError) as error:
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
@click.option("--alone", is_flag=True, help="Hold them against nothing but one another: no warehouse is asked.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list of objects.")
@click.pass_obj
def proofread(settings: Settings, files: tuple[str, ...], alone: bool, as_json: bool) -> None:
    """Say what contradicts what in the bulletins in FILES, with the sentence and the recomputation.

    Their figures are held against one another, against the tables in FILES and, where these do not hold them, against
    the marts. What no declared phrase binds is listed. Exit status as of check.
    """
    from enforcement_reporting import checking
    from enforcement_reporting.catalog import CatalogError

    try:
        checked = checking.check_files(settings.definitions, files, as_printed=True)
    except CatalogError as error:
        raise CannotBeDone(str(error)) from None
    if checked.skipped.across_forms and not alone:
        try:
            with _warehouse(settings) as warehouse:
                from enforcement_reporting import marts

                with marts.reported_figures(warehouse) as known:
                    checked = checking.check_files(settings.definitions, files, as_printed=True, known=known)
        except CannotBeDone as error:
            click.echo(f"not held against the marts: {error.format_message()}", err=True)
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
    instant = _instant(received_at, "--received-at")
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


@main.group()
def explanations() -> None:
    """Decide on what units explain: list what waits, accept, refuse."""


@explanations.command("list")
@click.pass_obj
def list_explanations(settings: Settings) -> None:
    """Print the explanations that wait for a decision, the oldest first."""
    with _decisions(settings) as connection:
        from enforcement_reporting import review

        waiting = review.pending_explanations(connection)
        for item in waiting:
            click.echo("\n".join(item.lines()) + "\n")
    click.echo(f"{len(waiting)} 条说明待审核。" if waiting else "没有待审核的说明。")


@explanations.command()
@click.argument("explanation_id", type=int)
@click.option("--by", required=True, metavar="WHO", help="Who accepts it.")
@click.option("--reason", default="", help="A remark for the unit.")
@click.pass_obj
def accept(settings: Settings, explanation_id: int, by: str, reason: str) -> None:
    """Accept the explanation EXPLANATION_ID. Exit status 3 where it is not there or is decided already."""
    _decide(settings, explanation_id, True, reason, by)


@explanations.command()
@click.argument("explanation_id", type=int)
@click.option("--reason", required=True, help="Why, for the unit to read.")
@click.option("--by", required=True, metavar="WHO", help="Who refuses it.")
@click.pass_obj
def refuse(settings: Settings, explanation_id: int, reason: str, by: str) -> None:
    """Refuse the explanation EXPLANATION_ID. Exit status 3 where it is not there or is decided already."""
    _decide(settings, explanation_id, False, reason, by)


def _decide(settings: Settings, explanation_id: int, is_accepted: bool, reason: str, by: str) -> None:
    with _decisions(settings) as connection:
        from enforcement_reporting import review

        try:
            review.decide(connection, explanation_id, is_accepted, reason, by, datetime.now().astimezone())
        except review.ReviewError as error:
            raise CannotBeDone(str(error)) from None
    click.echo(f"编号为 {explanation_id} 的说明：{'采纳' if is_accepted else '不采纳'}。")


@contextmanager
def _decisions(settings: Settings) -> Iterator[psycopg.Connection]:
    """Yield a connection to a warehouse whose schema is this version's."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting.warehouse import connect, migrate

        migrate(warehouse)
        with connect(warehouse) as connection:
            yield connection


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
@click.option("--at", metavar="INSTANT", help="As things stood at this instant, ISO 8601 (default: now).")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.pass_obj
def chase(settings: Settings, at: str | None, dry_run: bool) -> None:
    """Find what is missing and late, and write to the units that owe something.

    The mails are sent where ENFORCEMENT_SMTP_URL names a server; else they wait, see `outbox list`.
    """
    instant = _instant(at, "--at")
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import deadlines, intake, mail, quality, report

        intake.prepare(warehouse)
        if dry_run:
            report.print_looks(deadlines.chase(warehouse, instant, dry_run=True))
            return
        quality.check_obligations(warehouse, instant)
        written = deadlines.write_and_send(warehouse, [instant], mail.server_from_environment())
        report.print_looks(written.looks)
        click.echo(str(written))


@main.command()
@click.option("--at", metavar="INSTANT", help="As things stood at this instant, ISO 8601 (default: now).")
@click.option("--unit", help="Only this unit.")
@click.option("--form", help="Only this form.")
@click.option("--days", type=click.IntRange(1), default=31, show_default=True, help="Due so many days before or after.")
@click.option("--all", "everything", is_flag=True, help="What came in time as well.")
@click.pass_obj
def obligations(
    settings: Settings, at: str | None, unit: str | None, form: str | None, days: int, everything: bool
) -> None:
    """Print who owes what: missing, late, put off, due next."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import report

        report.print_obligations(warehouse, _instant(at, "--at"), unit, form, days, everything)


@main.command()
@click.argument("form")
@click.argument("period")
@click.argument("until")
@click.option("--unit", help="Only this unit (default: all that owe the form).")
@click.option("--reason", required=True, help="Why; it is shown to the unit.")
@click.option("--by", "granted_by", required=True, help="Who granted it.")
@click.option("--at", metavar="INSTANT", help="When it was granted, ISO 8601 (default: now).")
@click.pass_obj
def extend(
    settings: Settings,
    form: str,
    period: str,
    until: str,
    unit: str | None,
    reason: str,
    granted_by: str,
    at: str | None,
) -> None:
    """Put the deadline of FORM for PERIOD off UNTIL an instant, for one unit or for all."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import deadlines, intake

        intake.prepare(warehouse)
        try:
            deadlines.extend(
                warehouse,
                form,
                period,
                _instant(until, "UNTIL"),
                unit=unit,
                reason=reason,
                granted_by=granted_by,
                granted_at=_instant(at, "--at"),
            )
        except ValueError as error:
            raise CannotBeDone(str(error)) from None
        click.echo(f"{form} {period}: {unit or 'all units'} have until {until}")


@main.group()
def outbox() -> None:
    """Mails to units: what waits, what a person has to look at, and who is written to."""


@outbox.command("list")
@click.option("--all", "everything", is_flag=True, help="What was sent and withdrawn as well.")
@click.pass_obj
def list_outbox(settings: Settings, everything: bool) -> None:
    """Print what waits, was refused, or may or may not have arrived. Addresses are not shown."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import report

        report.print_outbox(warehouse, everything)


@outbox.command()
@click.option("--at", metavar="INSTANT", help="Send what is due at this instant, ISO 8601 (default: now).")
@click.pass_obj
def send(settings: Settings, at: str | None) -> None:
    """Send what is due, by the server that ENFORCEMENT_SMTP_URL names."""
    from enforcement_reporting import mail

    try:
        open_server = mail.server_from_environment()
    except ValueError as error:
        raise CannotBeDone(str(error)) from None
    if open_server is None:
        raise CannotBeDone("no mail server: set ENFORCEMENT_SMTP_URL, such as smtp://user:password@host:587?starttls")
    with _warehouse(settings) as warehouse:

        def show(done: int, total: int) -> None:
            if sys.stderr.isatty():
                click.echo(f"\r{done} of {total}", nl=False, err=True)

        sent = mail.send_waiting(warehouse, open_server, _instant(at, "--at"), show)
    click.echo(", ".join(f"{number} {state}" for state, number in sorted(sent.counts.items())) or "nothing was due")
    if sent.server_down:
        raise CannotBeDone(f"the mail server cannot be reached, the mails wait: {sent.server_down}")


@outbox.command()
@click.argument("mail_id", type=int)
@click.option("--arrived", is_flag=True, help="It arrived after all: record it as sent, and send nothing.")
@click.option("--at", metavar="INSTANT", help="When this was decided, ISO 8601 (default: now).")
@click.pass_obj
def resend(settings: Settings, mail_id: int, arrived: bool, at: str | None) -> None:
    """Send MAIL_ID again to those who refused it or may not have got it; it is for a person to decide that."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import mail

        count = mail.settle(warehouse, mail_id, _instant(at, "--at"), arrived=arrived)
    if not count:
        raise CannotBeDone(f"mail {mail_id}: nothing of it was refused or is unknown")
    click.echo(f"mail {mail_id}: {count} {'recorded as sent' if arrived else 'queued again'}")


@outbox.command()
@click.argument("authority")
@click.option("--reason", required=True)
@click.option("--by", "stopped_by", required=True, help="Who stops it.")
@click.pass_obj
def stop(settings: Settings, authority: str, reason: str, stopped_by: str) -> None:
    """Let nothing more go out in the name of AUTHORITY; what waits is taken back."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import mail

        mail.stop(warehouse, authority, reason, stopped_by, _instant(None, "--at"))
    click.echo(f"{authority}: nothing goes out until `outbox resume {authority}`")


@outbox.command()
@click.argument("authority")
@click.pass_obj
def resume(settings: Settings, authority: str) -> None:
    """Let mails of AUTHORITY go out again: the next look writes what is owed then."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import mail

        if not mail.resume(warehouse, authority):
            raise CannotBeDone(f"{authority} was not stopped")
    click.echo(f"{authority}: mails go out again")


@outbox.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def contacts(settings: Settings, file: Path) -> None:
    """Take the contacts in FILE, a CSV of unit, contact_name and address, in the place of those there are."""
    with _warehouse(settings) as warehouse:
        from enforcement_reporting import intake, mail
        from enforcement_reporting.catalog import load_catalog
        from enforcement_reporting.warehouse import connect

        intake.prepare(warehouse)
        try:
            with connect(warehouse) as connection:
                count = mail.load_contacts(connection, load_catalog(settings.definitions), file)
        except mail.ContactsError as error:
            raise CannotBeDone(str(error)) from None
    click.echo(f"{count} contacts")


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

    from enforcement_reporting.catalog import CatalogError, NotDeclared
    from enforcement_reporting.local.postgres import LocalServerError, local_warehouse
    from enforcement_reporting.marts import MartsError
    from enforcement_reporting.warehouse import WarehouseError

    try:
        with local_warehouse(settings) as warehouse:
            yield warehouse
    except (CatalogError, LocalServerError, MartsError, NotDeclared, WarehouseError) as error:
        raise CannotBeDone(str(error)) from None
    except sa.exc.ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.UndefinedTable):
            raise CannotBeDone("the marts have not been built yet: take something in first") from None
        raise
    except psycopg.errors.UndefinedTable:
        raise CannotBeDone("the marts have not been built yet: take something in first") from None
    except (sa.exc.ArgumentError, sa.exc.OperationalError, psycopg.OperationalError) as error:
        raise CannotBeDone(f"the warehouse cannot be reached: {' '.join(str(error).split())}") from None


def _instant(text: str | None, name: str) -> datetime:
    """Return an instant with a time zone; one without is taken as local time."""
    if text is None:
        return datetime.now().astimezone()
    try:
        return datetime.fromisoformat(text).astimezone()
    except (OverflowError, ValueError):
        raise click.BadParameter(
            f"expected an ISO 8601 instant such as 2025-10-09T17:30+08:00, got {text!r}", param_hint=name
        ) from None
