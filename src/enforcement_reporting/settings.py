"""Where things are: one object, read from the environment once, passed on from there.

Every setting has a default that makes a fresh clone work; production sets the environment variables.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The places the pipeline reads from and writes to.

    ``warehouse_url`` is a SQLAlchemy URL of the warehouse, or None where the local server is to be used.
    ``definitions`` holds an authority's ``catalog/`` and ``expectations/``; ``state`` everything that is made at
    run time; ``landing`` is where submissions arrive, ``store`` where their bytes are kept by sha256.
    """

    definitions: Path
    state: Path
    landing: str
    store: str
    dbt_project: Path
    warehouse_url: str | None

    @classmethod
    def from_environment(cls, definitions: str | Path | None = None) -> Settings:
        """Return the settings of this process; ``definitions`` overrides the environment's folder."""
        env = os.environ
        state = Path(env.get("ENFORCEMENT_STATE") or PROJECT_ROOT / ".local").resolve()
        return cls(
            definitions=Path(definitions or env.get("ENFORCEMENT_DEFINITIONS") or PROJECT_ROOT).resolve(),
            state=state,
            landing=env.get("ENFORCEMENT_LANDING") or str(state / "landing"),
            store=env.get("ENFORCEMENT_STORE") or str(state / "store"),
            dbt_project=Path(env.get("ENFORCEMENT_DBT_PROJECT") or PROJECT_ROOT / "dbt_project").resolve(),
            warehouse_url=env.get("ENFORCEMENT_WAREHOUSE_URL") or None,
        )
