"""Whom to write to in a unit. Addresses stand in the schema mail only, and in no message or log."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import psycopg
from email_validator import EmailNotValidError, validate_email

from enforcement_reporting.catalog import Catalog
from enforcement_reporting.texts import plain

_COLUMNS = {
    "unit": ("unit_id", "unit", "单位"),
    "name": ("contact_name", "name", "联系人"),
    "address": ("address", "邮箱"),
}


class ContactsError(ValueError):
    """A list of contacts that cannot be used; the message names file and line, and no address."""


def load_contacts(connection: psycopg.Connection, catalog: Catalog, path: Path) -> int:
    """Take the contacts in a CSV file in the place of those of the authorities it names; return how many there are.

    Its columns are the unit (id or name), the name of the contact and the address. Raises ContactsError.
    """
    by_name: dict[str, str] = {}
    authority_of: dict[str, str] = {}
    for authority in catalog.authorities:
        for unit in authority.units.tree():
            authority_of[unit.unit_id] = authority.authority_id
            for name in (unit.unit_id, unit.name, *unit.aliases):
                by_name.setdefault(plain(name), unit.unit_id)
    contacts: dict[tuple[str, str], str] = {}
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # as spreadsheets in China save it
        text = raw.decode("gb18030", "replace")
    with io.StringIO(text, newline="") as file:
        reader = csv.DictReader(file)
        columns = {
            key: next((name for name in names if name in (reader.fieldnames or ())), None)
            for key, names in _COLUMNS.items()
        }
        if missing := [_COLUMNS[key][0] for key, name in columns.items() if name is None]:
            raise ContactsError(f"{path}: line 1: expected the columns {', '.join(missing)}")
        for row in reader:
            named, name, address = ((row.get(columns[key] or "") or "").strip() for key in ("unit", "name", "address"))
            unit_id = by_name.get(plain(named))
            if unit_id is None:
                raise ContactsError(f"{path}: line {reader.line_num}: {named!r} is no unit of the catalog")
            try:
                # Not every server on the way takes addresses in other letters than those of ASCII.
                valid = validate_email(address, allow_smtputf8=False, check_deliverability=False, test_environment=True)
            except EmailNotValidError:
                raise ContactsError(f"{path}: line {reader.line_num}: the address is none") from None
            contacts[unit_id, valid.ascii_email or valid.normalized] = name or named
    with connection.transaction():
        # No mail is written while the list of those it goes to is changed.
        connection.execute("select pg_advisory_xact_lock(hashtext('enforcement_reporting.chase'))")
        authorities = sorted({authority_of[unit_id] for unit_id, _ in contacts})
        units = [unit_id for unit_id, authority_id in authority_of.items() if authority_id in authorities]
        connection.execute("delete from mail.contacts where unit_id = any(%s)", [units])
        connection.cursor().executemany(
            "insert into mail.contacts (unit_id, address, contact_name) values (%s, %s, %s)",
            [(unit_id, address, name) for (unit_id, address), name in contacts.items()],
        )
    return len(contacts)
