"""Daily at nine in China, and whenever submissions have been checked: find what is owed, write to the units, send.

A run looks at things as they are when it runs. So a run that is cleared or comes late writes nothing that is no longer
true, and nothing twice; a backfill run would speak of days long past, and writes to nobody. To play a past campaign as
it was at its time, trigger a run with `replay_from` and `replay_until`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from enforcement_reporting.settings import Settings

CHECKED_SUBMISSIONS = Asset(name="checked_submissions", uri="enforcement-reporting://checked-submissions")
CHECKED_OBLIGATIONS = Asset(name="checked_obligations", uri="enforcement-reporting://checked-obligations")
_INSTANT = {"type": ["null", "string"], "format": "date-time"}


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 9 * * *", timezone="Asia/Shanghai"), assets=[CHECKED_SUBMISSIONS]
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
    params={"replay_from": Param(None, **_INSTANT), "replay_until": Param(None, **_INSTANT)},
    doc_md=__doc__,
    tags=["enforcement-reporting"],
)
def chase_late_units() -> None:
    @task(outlets=[CHECKED_OBLIGATIONS])
    def check_obligations(dag_run: Any = None, params: Any = None) -> dict[str, int]:
        """Find what is missing and late; skipped where that is what was known already, and in a replay."""
        from enforcement_reporting import intake, quality

        if dag_run.run_type == "backfill":
            raise AirflowSkipException("What was owed on a past day is no news.")
        if params["replay_from"]:
            raise AirflowSkipException("A replay looks at the past; what is known now stands.")
        settings = Settings.from_environment()
        intake.prepare(settings)
        checked = quality.check_obligations(settings, datetime.now(UTC))
        if not checked.changed:
            raise AirflowSkipException("Nothing is missing or late but what was so before.")
        return checked.findings

    @task(trigger_rule=TriggerRule.NONE_FAILED, retries=5, retry_delay=timedelta(minutes=5))
    def write_and_send(dag_run: Any = None, params: Any = None) -> dict[str, int]:
        """Write to the units what they owe, and send it; tried again while the mail server is away."""
        from enforcement_reporting import deadlines
        from mail_channels import open_server

        if dag_run.run_type == "backfill":
            raise AirflowSkipException("A backfill writes to nobody.")
        settings = Settings.from_environment()
        instants = [datetime.now(UTC)]
        if params["replay_from"]:
            first, last = (datetime.fromisoformat(params[name]) for name in ("replay_from", "replay_until"))
            instants = deadlines.instants_of_replay(settings, first, last)
        sent = deadlines.write_and_send(settings, instants, open_server())
        if sent.server_down:
            raise AirflowException(f"The mail server cannot be reached, the mails wait: {sent.server_down}")
        return sent.counts

    check_obligations() >> write_and_send()


chase_late_units()
