"""When units have explained something, and on working mornings for what is still open: ask a person what holds.

Each explanation is a required action of its own. What nobody answers, or what is put off, is asked again the next time.
A decision made on the command line meanwhile holds, and the answer given here is left out with a line in the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.timezone import utc

from enforcement_reporting.settings import Settings

ACCEPT, REFUSE, LATER = "采纳", "不采纳", "稍后处理"
REASON = "理由"
EXPLAINED_FINDINGS = Asset(name="explained_findings", uri="enforcement-reporting://explained-findings")
CHECKED_SUBMISSIONS = Asset(name="checked_submissions", uri="enforcement-reporting://checked-submissions")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 8 * * 1-5", timezone="Asia/Shanghai"), assets=[EXPLAINED_FINDINGS]
    ),
    start_date=datetime(2024, 1, 1, tzinfo=utc),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(minutes=10),
    },
    doc_md=__doc__,
    tags=["enforcement-reporting"],
)
def review_explanations() -> None:
    @task
    def list_waiting() -> list[dict[str, Any]]:
        """Return what waits for a decision, in the words in which it is asked."""
        from enforcement_reporting import review
        from enforcement_reporting.warehouse import connect, migrate

        settings = Settings.from_environment()
        migrate(settings)
        with connect(settings) as connection:
            return [
                {"explanation_id": item.explanation_id, "subject": item.subject, "body": item.markdown()}
                for item in review.pending_explanations(connection)
            ]

    @task(outlets=[CHECKED_SUBMISSIONS])
    def record(explanation_id: int, answer: dict[str, Any]) -> None:
        """Record an answer with who gave it and when; skipped where it decides nothing."""
        import logging

        from enforcement_reporting import review
        from enforcement_reporting.warehouse import connect

        (option,) = answer["chosen_options"]
        if option == LATER:
            raise AirflowSkipException(f"explanation {explanation_id}: put off, or not answered in time")
        user, reason = answer["responded_by_user"] or {}, (answer["params_input"] or {}).get(REASON) or ""
        decided_at = answer["responded_at"]
        if isinstance(decided_at, str):
            decided_at = datetime.fromisoformat(decided_at)
        try:
            with connect(Settings.from_environment()) as connection:
                review.decide(
                    connection, explanation_id, option == ACCEPT, reason, user.get("name") or "Airflow", decided_at
                )
        except review.ReviewError as error:
            logging.getLogger(__name__).warning("explanation %s: the answer is left out: %s", explanation_id, error)
            raise AirflowSkipException(f"explanation {explanation_id}: the answer is left out") from None

    # Each by itself: what one person has decided does not wait for what another has not.
    @task_group
    def decide(explanation_id: int, subject: str, body: str) -> None:
        ask = HITLOperator(
            task_id="ask",
            subject=subject,
            body=body,
            options=[ACCEPT, REFUSE, LATER],
            defaults=LATER,
            params={REASON: Param("", type="string", description="不采纳的须写明理由，填报单位会看到。")},
            response_timeout=timedelta(hours=8),
        )
        record(explanation_id, ask.output)

    decide.expand_kwargs(list_waiting())


review_explanations()
