"""Definitions of a synthetic authority for benchmarks: as many units as wanted, five monthly forms of thirty columns.

Twenty-nine columns are cumulative counts and the last is a stated rate. Every rule asks a question and returns
nothing, so that all figures reach the marts whatever is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

AUTHORITY = "bench"
FORMS, INDICATORS = 5, 30
UNITS_IN_GROUP = 10


def indicator(number: int) -> str:
    """Return the id of a form's column, counted from 1."""
    return f"i{number:02}"


RULES: list[dict[str, Any]] = [
    {"rule_id": "sum_of_three", "kind": "sum", "parts": ["i02", "i03", "i04"], "whole": "i01"},
    {"rule_id": "sum_of_two", "kind": "sum", "parts": ["i06", "i07"], "whole": "i05"},
    {"rule_id": "part_one", "kind": "part_whole", "parts": ["i08"], "whole": ["i09"]},
    {"rule_id": "part_two", "kind": "part_whole", "parts": ["i10"], "whole": ["i11"]},
    {"rule_id": "two_parts", "kind": "part_whole", "parts": ["i12", "i13"], "whole": ["i14"]},
    {"rule_id": "amount", "kind": "amount_count", "amount": ["i15"], "count": ["i16"]},
    {"rule_id": "rate", "kind": "rate", "stated": "i30", "numerator": ["i10"], "denominator": ["i11"]},
]
ACROSS = {"rule_id": "across", "kind": "part_whole_across_forms", "parts": ["i18"], "whole": ["bench_f1.i19"]}
METRICS: list[dict[str, Any]] = [
    {"metric_id": "share", "numerator": ["i10"], "denominator": ["i11"], "scale": 100},
    {"metric_id": "intensity", "numerator": ["i02", "i03"], "denominator": ["i05"], "scale": 1},
]


def write_definitions(folder: Path, units: int, *, forms: int = FORMS, rules: bool = True) -> None:
    """Write catalog/ and expectations/ of the synthetic authority into ``folder``."""
    home = folder / "catalog" / AUTHORITY
    _write(
        folder / "catalog" / "landing.yaml",
        {"places": [{"place_id": "inbox", "path": "inbox", "policy": "collect"}]},
    )
    reporting = [
        {"unit_id": f"bench_u{number:05}", "name": f"合成{number:05}号镇", "kind": "镇街"}
        for number in range(1, units + 1)
    ]
    groups = [
        {
            "unit_id": f"bench_g{start // UNITS_IN_GROUP + 1:04}",
            "name": f"合成第{start // UNITS_IN_GROUP + 1}片区",
            "kind": "片区",
            "members": reporting[start : start + UNITS_IN_GROUP],
        }
        for start in range(0, units, UNITS_IN_GROUP)
    ]
    _write(
        home / "authority.yaml",
        {
            "authority_id": AUTHORITY,
            "name": "合成市应急管理局",
            "units": {"unit_id": "bench_all", "name": "合成市", "kind": "汇总", "members": groups},
        },
    )
    metrics = []
    for number in range(1, forms + 1):
        form_id = f"{AUTHORITY}_f{number}"
        _write(home / "forms" / f"{form_id}.yaml", _form(form_id, number))
        metrics += [
            {**metric, "metric_id": f"{form_id}_{metric['metric_id']}", "name": f"{metric['metric_id']}{number}"}
            | {"form": form_id, "unit_of_measure": "%" if metric["scale"] == 100 else "比"}
            for metric in METRICS
        ]
        declared = RULES + ([ACROSS] if number > 1 else [])
        if rules:
            _write(
                folder / "expectations" / f"{form_id}.yaml",
                {"form": form_id, "rules": [{**rule, "severity": "question"} for rule in declared]},
            )
    _write(home / "metrics.yaml", {"metrics": metrics})
    (folder / "expectations").mkdir(exist_ok=True)


def _form(form_id: str, number: int) -> dict[str, Any]:
    return {
        "form_id": form_id,
        "authority_id": AUTHORITY,
        "title": f"合成执法统计表第{'甲乙丙丁戊己庚辛壬癸'[number - 1]}种",
        "calendar": {"kind": "month"},
        "figures": "cumulative",
        "unit_labels": ["单位"],
        "indicators": [
            {
                "indicator_id": indicator(place),
                "label": [f"第{(place - 1) // 5 + 1}组", f"{'甲乙丙丁戊己庚辛壬癸'[number - 1]}项{place:02}"],
                "unit_of_measure": "%" if place == INDICATORS else "件",
                "measure_kind": "rate" if place == INDICATORS else "flow",
            }
            for place in range(1, INDICATORS + 1)
        ],
    }


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
