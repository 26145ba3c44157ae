"""Every 15 minutes, and as soon as a file is dropped: take in what has landed and check it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetAlias,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    TriggerRule,
    dag,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from enforcement_reporting.settings import Settings
from landing_watcher import NewFilesTrigger

POST = "post"  # the landing place of what comes by mail
CHECKED_SUBMISSIONS = Asset(name="checked_submissions", uri="enforcement-reporting://checked-submissions")
EXPLAINED_FINDINGS = Asset(name="explained_findings", uri="enforcement-reporting://explained-findings")
EXPLAINED_IF_ANY = AssetAlias("explained_findings_if_any")  # no event where no explanation came in
LANDED_FILES = Asset(
    name="landed_files",
    uri="enforcement-reporting://landed-files",
    watchers=[AssetWatcher(name="landing", trigger=NewFilesTrigger())],
)


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="Asia/Shanghai"), assets=[LANDED_FILES]
    ),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(hours=1),
    },
    doc_md=__doc__,
    tags=["enforcement-reporting"],
)
def intake_submissions() -> None:
    @task
    def prepare() -> None:
        """Bring the warehouse to this version's schema and to the catalog as it is now."""
        from enforcement_reporting import intake

        intake.prepare(Settings.from_environment())

    @task
    def collect_mail() -> dict[str, Any]:
        """Put workbooks that units have sent by mail into their landing place; nothing where there is no mailbox."""
        from enforcement_reporting import intake, mail
        from mail_channels import open_mailbox

        settings, mailbox = Settings.from_environment(), open_mailbox()
        places = [place for place in intake.landing_places(settings) if place.place_id == POST]
        if mailbox is None or not places:
            return {}
        return vars(mail.collect_attachments(settings, mailbox, intake.place_url(settings, places[0])))

    # A mailbox that cannot be reached keeps nobody else's submissions waiting.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def list_chunks() -> list[dict[str, Any]]:
        """Return what is to be taken in, in chunks, with the instant at which it was seen.

        The instant is fixed here, before any work, so that a retry or a cleared task records the same one. Where
        nothing is new there is one empty chunk: without any, `take_in` would be skipped and the check with it.
        """
        from enforcement_reporting import intake

        seen_at = datetime.now().astimezone().isoformat()
        chunks = intake.list_chunks(Settings.from_environment()) or [[]]
        return [{"files": files, "seen_at": seen_at} for files in chunks]

    @task
    def take_in(chunk: dict[str, Any]) -> dict[str, Any]:
        """Take in one chunk; a file's own time of arrival, where known, goes before the instant it was seen."""
        from enforcement_reporting import intake

        return intake.take_in(Settings.from_environment(), chunk["files"], datetime.fromisoformat(chunk["seen_at"]))

    # Runs once all chunks are done, even if some failed: their fault must not keep the others from being checked.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, outlets=[CHECKED_SUBMISSIONS, EXPLAINED_IF_ANY])
    def check_submissions(dag_run: Any = None, outlet_events: Any = None) -> dict[str, Any]:
        """Check what is unchecked, a former run's leavings included; skipped where the marts would stay as they are.

        What has come in is no longer missing, or it is late: the obligations are checked with it.
        """
        from enforcement_reporting import quality, review
        from enforcement_reporting.warehouse import connect

        settings = Settings.from_environment()
        checked = quality.check_submissions(settings)
        obligations = quality.check_obligations(settings, datetime.now(UTC)) if checked.submissions else None
        if not checked.marts_due:
            raise AirflowSkipException("Nothing has changed since the last check.")
        with connect(settings) as connection:
            if review.explained_since(connection, dag_run.start_date):
                outlet_events[EXPLAINED_IF_ANY].add(EXPLAINED_FINDINGS)
        return {**vars(checked), "obligations": obligations and obligations.findings}

    # A run counts as failed only if its last task failed. `check_submissions` may well succeed after a failed chunk.
    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def fail_if_a_chunk_failed() -> None:
        """Mark the run as failed where files could not be taken in, or mail not be collected."""
        raise AirflowFailException("Files could not be taken in: see the failed tasks before this one.")

    chunks = list_chunks()
    taken_in = take_in.expand(chunk=chunks)
    prepared, mail = prepare(), collect_mail()
    prepared >> mail
    [prepared, mail] >> chunks
    taken_in >> check_submissions()
    [mail, taken_in] >> fail_if_a_chunk_failed()


intake_submissions()
