"""The mark that a sheet of a template carries: the form, the unit and the period it was written for.

It is a name that the sheet defines for itself, with a text for its value. Such a name is a plain part of the format,
which spreadsheet software keeps when it saves, and goes with the sheet where that is renamed, moved or copied. Nobody
sees it on the sheet: it settles what the visible texts leave open and never outweighs them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from enforcement_reporting.catalog import Form

NAME = "报表标识"
NOTES = "填表说明"  # the mark of a sheet that explains and holds no table

_VERSION, _PARTS = "1", 5
_ALL_UNITS = "*"


@dataclass(frozen=True)
class Mark:
    """What a template was written for; ``unit_id`` is None for all units, ``layout`` tells versions apart."""

    form_id: str
    period_id: str
    unit_id: str | None
    layout: str

    @property
    def text(self) -> str:
        """Return the mark as it is written."""
        return "|".join((_VERSION, self.form_id, self.period_id, self.unit_id or _ALL_UNITS, self.layout))


def mark_in(text: str) -> Mark | None:
    """Return the mark in a text, or None where it is none, or one of a version not known here."""
    version, *parts = text.split("|")
    if version != _VERSION or len(parts) + 1 != _PARTS:
        return None
    form_id, period_id, unit_id, layout = parts
    return Mark(form_id, period_id, None if unit_id == _ALL_UNITS else unit_id, layout)


def layout_of(form: Form) -> str:
    """Return a digest of a form's columns: it changes with what a template looks like, and with nothing else."""
    columns = [(item.indicator_id, item.label, item.unit_of_measure, item.applies_to) for item in form.indicators]
    return hashlib.sha256(repr((form.title, form.unit_labels, columns)).encode()).hexdigest()[:8]
