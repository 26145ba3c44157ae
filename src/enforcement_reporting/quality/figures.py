"""The SQL that takes single figures out of the arrays in which submissions are stored."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql


class Figures:
    """Figures by their indicators, from ``intake.figures f`` joined to ``places``, see ``places``."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._place = {key: number for number, key in enumerate(keys, 1)}

    @property
    def places(self) -> str:
        """Return what the common table expression ``places`` says: where in a layout each of the indicators stands.

        It has the layouts with any of them, and must be materialized: there are few layouts and many submissions.
        """
        keys = sql.SQL("array[{}]::text[]").format(sql.SQL(", ").join(map(sql.Literal, self._place))).as_string(None)
        return f"""
            select layout_id, indicator_ids,
                array(
                    select array_position(indicator_ids, wanted.indicator_id)
                    from unnest({keys}) with ordinality as wanted (indicator_id, place)
                    order by wanted.place
                ) as at,
                array(
                    select wanted.indicator_id
                    from unnest({keys}) as wanted (indicator_id)
                    where wanted.indicator_id <> all(indicator_ids)
                ) as missing
            from intake.layouts
            where indicator_ids && {keys}
        """

    def said(self, array: str, key: str) -> str:
        """Return what one of the arrays says of an indicator, NULL where it does not stand in the submission."""
        return f"f.{array}[places.at[{self._place[key]}]]"

    def is_read(self, key: str) -> str:
        """Return whether an indicator stands in the submission and could be read."""
        at, state = f"places.at[{self._place[key]}]", self.said("cell_states", key)
        return f"({at} is not null and {state} is distinct from 'unreadable')"

    def value(self, key: str) -> str:
        """Return the figure."""
        return self.said("stated_values", key)

    def text(self, key: str) -> str:
        """Return the figure as it was typed."""
        return f"coalesce({self.said('stated_texts', key)}, {self.value(key)}::text)"


# The indicators asked for that a submission does not have, or whose cells could not be read. There are none as a rule,
# and to see that takes less than to look for each among those that were read.
CELLS_UNREAD = """
    case
        when places.layout_id is null then null
        when 'unreadable' = any(f.cell_states) then places.missing || array(
            select c.indicator_id
            from unnest(places.indicator_ids, f.cell_states) as c (indicator_id, state)
            where c.state = 'unreadable'
        )
        else places.missing
    end
"""
