"""The catalog: what is reported, by whom and when, read from YAML and checked before anything runs on it.

    catalog/landing.yaml                     where submissions arrive, and under which policy
    catalog/<authority>/authority.yaml       the authority and the tree of its units
    catalog/<authority>/forms/<form>.yaml    a form with its calendar and indicators
    catalog/<authority>/metrics.yaml         rates, shares, per-capita figures
    catalog/<authority>/scoreboards.yaml     what is ranked, and how points are given

Ids that stand alone in the warehouse are unique over the whole catalog: units, forms, metrics, scoreboards. An
indicator is known there as ``form.indicator``; inside its form the short name is enough.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from enforcement_reporting.periods import Calendar, CalendarKind
from enforcement_reporting.texts import MONEY, joined, plain, split_unit


def _no_separator(name: str) -> str:
    if "__" in name or name.endswith("_"):
        raise ValueError("expected single underscores inside the id: two part a form from its indicator")
    return name


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_no_separator)]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
Whole = Annotated[int, Strict()]
YesNo = Annotated[bool, Strict()]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
MeasureKind = Literal["flow", "stock", "rate", "rank", "points"]
Policy = Literal["collect", "archive"]

# The columns that a submission's wide row has besides its indicators.
FIXED_COLUMNS = frozenset(
    {
        *("submission_id", "unit_id", "unit_name", "unit_kind", "period_id", "period_name", "row_role", "received_at"),
        *("cells_read", "rows_summed", "rows_left_out"),
    }
)


class CatalogError(ValueError):
    """A definition that cannot be used; the message names file, key and what was expected."""


class Model(BaseModel):
    """A definition: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Unit(Model):
    """A unit that reports, or, where it has ``members``, a group that is rolled up and does not report itself."""

    unit_id: Id
    name: Text
    kind: Text
    aliases: tuple[Text, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    members: tuple[Unit, ...] = ()

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError(f"valid_from: expected a day not after valid_to ({self.valid_to})")
        return self

    def tree(self) -> Iterator[Unit]:
        """Yield this unit and everything below it, in the order of the catalog."""
        yield self
        for member in self.members:
            yield from member.tree()


class Authority(Model):
    """An authority that collects reports, with the one group that stands for all its units."""

    authority_id: Id
    name: Text
    units: Unit

    @model_validator(mode="after")
    def _unique_units(self) -> Self:
        units = list(self.units.tree())
        _refuse_repeats("unit_id", [unit.unit_id for unit in units])
        names = [(name, unit.unit_id) for unit in units for name in (unit.name, *unit.aliases)]
        _refuse_repeats("unit name or alias", [name for name, _ in names])
        _refuse_likeness("unit name or alias", [(name, plain(name), owner) for name, owner in names])
        return self

    @property
    def reporting_units(self) -> list[Unit]:
        """Return the units that report, in the order of the catalog."""
        return [unit for unit in self.units.tree() if not unit.members]


class Indicator(Model):
    """One column of a form, found by its label path: the texts of its header cells from top to bottom.

    ``measure_kind``: a flow adds up over time, a stock does not; rate, rank and points are figures the authority
    worked out itself and that are therefore checked and never used.
    """

    indicator_id: Id
    label: tuple[Text, ...] = Field(min_length=1)
    aliases: tuple[tuple[Text, ...], ...] = ()
    name: Text | None = None
    unit_of_measure: Text
    measure_kind: MeasureKind = "flow"
    applies_to: tuple[Text, ...] = ()
    optional: YesNo = False
    counting_rule: Text | None = None
    counting_rule_source: Text | None = None

    @field_validator("indicator_id")
    @classmethod
    def _not_a_fixed_column(cls, value: str) -> str:
        if value in FIXED_COLUMNS:
            raise ValueError(f"{value} is taken: it names a column that every row has")
        return value

    @property
    def label_path(self) -> str:
        """Return the label path in one line, as it is shown to people."""
        return " / ".join(self.label)

    @property
    def caption(self) -> str:
        """Return the name shown to people: the declared one, or the label path joined."""
        return self.name or "·".join(self.label)


M = TypeVar("M", bound=Model)


class CalendarDefinition(Model):
    """Which periods a form knows."""

    kind: CalendarKind
    starts_on: date | None = None
    counted_from: date | None = None

    @model_validator(mode="after")
    def _makes_a_calendar(self) -> Self:
        self.calendar()
        return self

    def calendar(self) -> Calendar:
        """Return the calendar itself."""
        return Calendar(self.kind, self.starts_on, self.counted_from)


class TotalRow(Model):
    """The printed total row of a consolidated table: a statement about a group of units, never a unit."""

    labels: tuple[Text, ...] = Field(min_length=1)
    states: Id


class Form(Model):
    """A form: how it is recognised, which periods it knows, and its indicators.

    Either ``unit_labels`` names the header of the column in which units stand, one row each, or the sheet carries a
    single unit, named in a line such as 填报单位：….
    """

    form_id: Id
    authority_id: Id
    title: Text
    title_aliases: tuple[Text, ...] = ()
    source: Text | None = None
    calendar: CalendarDefinition
    figures: Literal["cumulative", "single"]
    unit_labels: tuple[Text, ...] = ()
    reported_by: tuple[Text, ...] = ()
    total_row: TotalRow | None = None
    ignored_labels: tuple[Text, ...] = ("序号", "备注")
    not_applicable_marks: tuple[Text, ...] = ("—", "——", "-", "/", "不适用")
    indicators: tuple[Indicator, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_indicators(self) -> Self:
        _refuse_repeats("indicator_id", [indicator.indicator_id for indicator in self.indicators])
        labels = [(path, item.indicator_id) for item in self.indicators for path in (item.label, *item.aliases)]
        _refuse_repeats("label", [path for path, _ in labels])
        units = frozenset({item.unit_of_measure for item in self.indicators} | set(MONEY))
        _refuse_likeness(
            "label",
            [(" / ".join(path), joined(split_unit(step, units)[0] for step in path), owner) for path, owner in labels],
        )
        if self.total_row and not self.unit_labels:
            raise ValueError("total_row needs unit_labels: a sheet of one unit has no total row")
        return self

    @cached_property
    def indicator_ids(self) -> frozenset[str]:
        """Return the short ids of the form's indicators."""
        return frozenset(indicator.indicator_id for indicator in self.indicators)


class Metric(Model):
    """A figure derived from indicators: ``scale`` × sum of numerator ÷ sum of denominator (1 where none is given).

    A group's value is worked out from its units' sums, never from their values. Rates are given in percent by
    ``scale: 100``. ``decimals`` is for printing; the warehouse keeps the exact value.
    """

    metric_id: Id
    name: Text
    form: Id
    unit_of_measure: Text
    numerator: tuple[Reference, ...] = Field(min_length=1)
    denominator: tuple[Reference, ...] = ()
    scale: Whole = 1
    decimals: Whole = Field(default=2, ge=0, le=10)

    def terms(self) -> Iterator[tuple[str, str, str]]:
        """Yield (role, form_id, indicator_id) of everything the metric is computed from."""
        for role, references in (("numerator", self.numerator), ("denominator", self.denominator)):
            for reference in references:
                yield (role, *resolve(reference, self.form))


class Points(Model):
    """Points by rank: ``top`` for the first, one less for each further rank, never below ``bottom``."""

    top: Whole
    bottom: Whole = 0


class ScoreboardItem(Model):
    """One thing that is ranked: an indicator of the scoreboard's form, or a metric."""

    item_id: Id
    name: Text
    indicator: Reference | None = None
    metric: Id | None = None
    better: Literal["higher", "lower"] = "higher"
    points: Points

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.indicator is None) == (self.metric is None):
            raise ValueError("expected either indicator or metric, and not both")
        if self.item_id == "total":
            raise ValueError("item_id total is taken: it names the sum of the items' points")
        return self


class Scoreboard(Model):
    """What is ranked by what: rank = 1 + number of units strictly better; the total of points is ranked likewise."""

    scoreboard_id: Id
    name: Text
    form: Id
    unit_kinds: tuple[Text, ...] = ()
    excluded_units: tuple[Id, ...] = ()
    items: tuple[ScoreboardItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_items(self) -> Self:
        _refuse_repeats("item_id", [item.item_id for item in self.items])
        return self


class LandingPlace(Model):
    """A place where submissions arrive.

    ``collect``: an error returns the submission, and its figures stay out of the marts. ``archive``: published
    material is taken as printed, and the findings stand beside it. ``path`` is relative to the landing root unless
    it is a URL.
    """

    place_id: Id
    path: Text
    policy: Policy


class Landing(Model):
    """All landing places."""

    places: tuple[LandingPlace, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_places(self) -> Self:
        _refuse_repeats("place_id", [place.place_id for place in self.places])
        return self


class Metrics(Model):
    """The file metrics.yaml."""

    metrics: tuple[Metric, ...]


class Scoreboards(Model):
    """The file scoreboards.yaml."""

    scoreboards: tuple[Scoreboard, ...]


class Catalog(Model):
    """Everything that was declared, checked against itself."""

    authorities: tuple[Authority, ...]
    forms: tuple[Form, ...]
    metrics: tuple[Metric, ...]
    scoreboards: tuple[Scoreboard, ...]
    landing: Landing

    @cached_property
    def sha256(self) -> str:
        """Return a digest of what reaches the warehouse: it does not change with a comment or a landing place."""
        return hashlib.sha256(self.model_dump_json(exclude={"landing"}).encode()).hexdigest()

    @cached_property
    def form_by_id(self) -> dict[str, Form]:
        """Return the forms by id."""
        return {form.form_id: form for form in self.forms}

    @cached_property
    def authority_by_id(self) -> dict[str, Authority]:
        """Return the authorities by id."""
        return {authority.authority_id: authority for authority in self.authorities}

    def expected_units(self, form: Form) -> list[Unit]:
        """Return the units that owe ``form``."""
        units = self.authority_by_id[form.authority_id].reporting_units
        return [unit for unit in units if not form.reported_by or unit.kind in form.reported_by]

    def check_reference(self, reference: str, home_form: str) -> tuple[str, str]:
        """Return (form_id, indicator_id) of an indicator that exists; raise ValueError saying what does not."""
        form_id, indicator_id = resolve(reference, home_form)
        form = self.form_by_id.get(form_id)
        if form is None:
            raise ValueError(f"{reference}: expected a form of the catalog, found {form_id!r}")
        if indicator_id not in form.indicator_ids:
            raise ValueError(f"{reference}: form {form_id} has no indicator {indicator_id!r}")
        return form_id, indicator_id


def resolve(reference: str, home_form: str) -> tuple[str, str]:
    """Return (form_id, indicator_id) of ``form.indicator``, or of ``indicator`` in its home form."""
    form_id, _, indicator_id = reference.rpartition(".")
    return form_id or home_form, indicator_id


def load_catalog(definitions: Path) -> Catalog:
    """Return the catalog under ``definitions``/catalog.

    Raises CatalogError naming the file, the key and what was expected there.
    """
    root = definitions / "catalog"
    if not root.is_dir():
        raise CatalogError(f"{root}: expected a folder with landing.yaml and one folder per authority")
    authorities: list[Authority] = []
    forms: list[Form] = []
    metrics: list[Metric] = []
    scoreboards: list[Scoreboard] = []
    origin: dict[tuple[str, str], Path] = {}

    def declare(kind: str, name: str, path: Path) -> None:
        if other := origin.get((kind, name)):
            raise CatalogError(f"{path}: {kind} {name} is declared in {other} already")
        origin[kind, name] = path

    refuse_strays(root, ["landing.yaml"], folders="<authority>")
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        refuse_strays(folder, ["authority.yaml", "metrics.yaml", "scoreboards.yaml"], folders="forms")
        if (folder / "forms").is_dir():
            refuse_strays(folder / "forms", None)
        authority = read_definition(folder / "authority.yaml", Authority)
        authorities.append(authority)
        declare("authority_id", authority.authority_id, folder / "authority.yaml")
        for unit in authority.units.tree():
            declare("unit_id", unit.unit_id, folder / "authority.yaml")
        for path in sorted((folder / "forms").glob("[!.]*.yaml")):
            form = read_definition(path, Form)
            if form.authority_id != authority.authority_id:
                raise CatalogError(f"{path}: authority_id: expected {authority.authority_id}, as the folder's")
            declare("form_id", form.form_id, path)
            forms.append(form)
        if (path := folder / "metrics.yaml").exists():
            for metric in read_definition(path, Metrics).metrics:
                declare("metric_id", metric.metric_id, path)
                metrics.append(metric)
        if (path := folder / "scoreboards.yaml").exists():
            for scoreboard in read_definition(path, Scoreboards).scoreboards:
                declare("scoreboard_id", scoreboard.scoreboard_id, path)
                scoreboards.append(scoreboard)
    if not authorities:
        raise CatalogError(f"{root}: expected one folder per authority, found none")
    catalog = Catalog(
        authorities=tuple(authorities),
        forms=tuple(forms),
        metrics=tuple(metrics),
        scoreboards=tuple(scoreboards),
        landing=read_definition(root / "landing.yaml", Landing),
    )
    _check_references(catalog, origin)
    return catalog


def read_definition(path: Path, model: type[M]) -> M:
    """Return the definition in a YAML file; raise CatalogError naming file, key and what was expected."""
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise CatalogError(f"{path}: expected this file ({model.__name__.lower()})") from None
    except OSError as error:
        raise CatalogError(f"{path}: expected a file that can be read: {error.strerror}") from None
    except RecursionError:
        raise CatalogError(f"{path}: not readable as YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2025-13-45 looks like a date and is none
        raise CatalogError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
            found = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.80})"
            lines.append(f"{path}: {key}: {problem['msg'].removeprefix('Value error, ')}{found}")
        raise CatalogError("\n".join(lines)) from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as SafeLoader does, but refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice in one mapping", key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def refuse_strays(folder: Path, names: Collection[str] | None, folders: str = "") -> None:
    """Raise CatalogError where a folder holds a file or folder that nothing reads; hidden ones are passed over.

    ``names`` are the files expected there, None any that ends in .yaml; ``folders`` says which folders are: ``forms``
    one of this name, ``<…>`` any.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and path.suffix not in (".yaml", ".yml"):
            known = folders.startswith("<") or path.name == folders
        else:
            known = path.suffix == ".yaml" if names is None else path.name in names
        if not known:
            expected = [*(sorted(names) if names is not None else ["*.yaml"]), *([f"{folders}/"] if folders else [])]
            raise CatalogError(f"{path}: not read by anything: expected {', '.join(expected)}")


def _check_references(catalog: Catalog, origin: dict[tuple[str, str], Path]) -> None:
    """Refuse references to what does not exist."""
    metric_ids = {metric.metric_id for metric in catalog.metrics}
    unit_kinds = {
        authority.authority_id: {unit.kind for unit in authority.units.tree()} for authority in catalog.authorities
    }
    for form in catalog.forms:
        path = origin["form_id", form.form_id]
        kinds = unit_kinds[form.authority_id]
        wanted = {*form.reported_by, *(kind for indicator in form.indicators for kind in indicator.applies_to)}
        if unknown := sorted(wanted - kinds):
            raise CatalogError(f"{path}: no unit of this authority is of kind {unknown[0]}; known: {sorted(kinds)}")
        groups = {unit.unit_id for unit in catalog.authority_by_id[form.authority_id].units.tree() if unit.members}
        if form.total_row and form.total_row.states not in groups:
            raise CatalogError(f"{path}: total_row.states: expected one of the groups {sorted(groups)}")
    for metric in catalog.metrics:
        path = origin["metric_id", metric.metric_id]
        _known_form(catalog, metric.form, path, metric.metric_id)
        for reference in (*metric.numerator, *metric.denominator):
            _checked(catalog, reference, metric.form, path, metric.metric_id)
    for scoreboard in catalog.scoreboards:
        path = origin["scoreboard_id", scoreboard.scoreboard_id]
        form = _known_form(catalog, scoreboard.form, path, scoreboard.scoreboard_id)
        unit_ids = {unit.unit_id for unit in catalog.authority_by_id[form.authority_id].units.tree()}
        for key, named, known in (
            ("unit_kinds", scoreboard.unit_kinds, unit_kinds[form.authority_id]),
            ("excluded_units", scoreboard.excluded_units, unit_ids),
        ):
            if unknown := sorted(set(named) - known):
                raise CatalogError(
                    f"{path}: {scoreboard.scoreboard_id}.{key}: {unknown[0]!r} is not known to authority"
                    f" {form.authority_id}; known: {sorted(known)}"
                )
        for item in scoreboard.items:
            key = f"{scoreboard.scoreboard_id}.{item.item_id}"
            if item.indicator:
                _checked(catalog, item.indicator, scoreboard.form, path, key)
            elif item.metric not in metric_ids:
                raise CatalogError(f"{path}: {key}.metric: no metric {item.metric!r} is declared")


def _known_form(catalog: Catalog, form_id: str, path: Path, key: str) -> Form:
    form = catalog.form_by_id.get(form_id)
    if form is None:
        raise CatalogError(f"{path}: {key}.form: expected a form of the catalog, found {form_id!r}")
    return form


def _checked(catalog: Catalog, reference: str, home_form: str, path: Path, key: str) -> None:
    try:
        catalog.check_reference(reference, home_form)
    except ValueError as error:
        raise CatalogError(f"{path}: {key}: {error}") from None


def _refuse_repeats(what: str, values: list[Any]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"{what} {repeated[0]!r} is declared twice")


def _refuse_likeness(what: str, values: Iterable[tuple[str, str, str]]) -> None:
    """Refuse texts, given with what they are compared by and whose they are, that cannot be told apart in reading."""
    first: dict[str, tuple[str, str]] = {}
    for text, compared, owner in values:
        other, other_owner = first.setdefault(compared, (text, owner))
        if owner != other_owner:
            raise ValueError(f"{what} {text!r} ({owner}) reads the same as {other!r} ({other_owner})")
