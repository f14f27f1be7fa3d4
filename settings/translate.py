"""pydantic's complaints as problems in our own words, with the nearest known key."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from settings.model import INJECTED, Settings
from settings.model.fields import Model, Unfit
from settings.problems import NOTHING, Path, Problem, nearest

MISSING = "is missing"
UNKNOWN = "is not a key of this block"
BAD_NAME = "its name "
# Keys that cannot stay in the tree, by how their problem's rule begins.
NO_PLACE = (UNKNOWN, BAD_NAME)

_TYPES = {
    "int_type": ("must be a whole number", "Write digits, without quotes."),
    "float_type": ("must be a number", "Write digits, without quotes."),
    "bool_type": ("must be true or false", "Write true or false, without quotes."),
    "string_type": ("must be text", "Put it in quotes."),
    "model_type": ("must be a block of keys", "Write its keys below it, indented."),
    "dict_type": ("must be a block of keys", "Write its keys below it, indented."),
    "tuple_type": ("must be a list", "Write it as [a, b], or each entry on its own line after a hyphen."),
}
_BOUNDS = {
    "greater_than_equal": ("must be at least {ge:g}", "Set it to {ge:g} or more."),
    "greater_than": ("must be more than {gt:g}", "Set it to more than {gt:g}."),
    "less_than_equal": ("must be at most {le:g}", "Set it to {le:g} or less."),
    "less_than": ("must be less than {lt:g}", "Set it to less than {lt:g}."),
    "too_short": ("must have at least {min_length} entry", "Add one."),
    "too_long": ("must have at most {max_length} entries", "Take some out."),
    "string_too_short": ("must not be empty", "Write something."),
    "string_too_long": ("must be at most {max_length} characters long", "Shorten it."),
}
_LENGTHS = ("too_short", "too_long", "string_too_short")


@dataclass(frozen=True)
class _Place:
    """Where a complaint is: the path in the tree, the type there, and the type of the block around it."""

    path: Path
    annotation: Any
    block: Any
    is_key: bool


def problems(error: ValidationError) -> list[Problem]:
    """Every complaint about the whole settings, in the model's order."""
    return [_problem(_place(detail["loc"]), detail) for detail in error.errors(include_url=False)]


def _problem(place: _Place, detail: ErrorDetails) -> Problem:
    path, kind, got, context = place.path, detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return _missing(place)
    if kind == "extra_forbidden":
        return Problem(path=path, rule=UNKNOWN, remedy=nearest(str(path[-1]), _known(place.block)))
    if kind == "value_error" and isinstance(context.get("error"), Unfit):
        rule, remedy = context["error"].rule, context["error"].remedy
        return Problem(path=path, rule=f"{BAD_NAME}{rule}" if place.is_key else rule, got=got, remedy=remedy)
    if kind == "literal_error":
        return _not_among(path, _choices(place.annotation), got)
    if kind == "union_tag_invalid":
        return _not_among((*path, "metric"), _choices(place.annotation), got["metric"])
    if kind == "union_tag_not_found" and not isinstance(got, Mapping):
        kind = "model_type"
    if kind == "union_tag_not_found":
        known = ", ".join(_choices(place.annotation))
        return Problem(path=(*path, "metric"), rule=MISSING, remedy=f"Set it to one of {known}.")
    if kind in _TYPES:
        rule, remedy = _TYPES[kind]
        return Problem(path=path, rule=rule, got=got, remedy=remedy)
    if kind in _BOUNDS:
        rule, remedy = (text.format(**context) for text in _BOUNDS[kind])
        received = NOTHING if kind in _LENGTHS else got
        return Problem(path=path, rule=rule, got=received, remedy=remedy)
    return Problem(
        path=path, rule=f"is refused: {detail['msg']}", got=got, remedy="Look at the key's description."
    )


def _missing(place: _Place) -> Problem:
    field = _fields(place.block)[str(place.path[-1])]
    extra = field.json_schema_extra
    file = str(extra["file"]) if isinstance(extra, Mapping) else "system"
    return Problem(path=place.path, rule=MISSING, remedy=f"Add it: {field.description}.", file=file)


def _not_among(path: Path, known: list[str], got: Any) -> Problem:
    remedy = nearest(got, known) if isinstance(got, str) else "Write one of them."
    return Problem(path=path, rule=f"must be one of {', '.join(known)}", got=got, remedy=remedy)


def _place(location: tuple[int | str, ...]) -> _Place:
    """pydantic's location also names a union's branch, and says "[key]" for the key of a mapping."""
    path: list[int | str] = []
    block: Any = None
    annotation: Any = Settings
    for part in location:
        if part == "[key]":
            return _Place(tuple(path), annotation, block, is_key=True)
        if _is_union(annotation):
            annotation = next(branch for branch in _branches(annotation) if part in _choices(branch))
            continue
        path.append(part)
        block, annotation = annotation, _inside(annotation, part)
    return _Place(tuple(path), annotation, block, is_key=False)


def _inside(annotation: Any, part: int | str) -> Any:
    """The type of one field of a model, or of the values of a mapping or a list."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        field = _fields(annotation).get(str(part))
        return _bare(field.annotation) if field else None
    arguments = get_args(annotation)
    return _bare(arguments[0] if get_origin(annotation) is tuple else arguments[1])


def _bare(annotation: Any) -> Any:
    """Without Annotated and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if _is_union(annotation):
        present = [branch for branch in get_args(annotation) if branch is not type(None)]
        if len(present) == 1:
            return _bare(present[0])
    return annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _branches(annotation: Any) -> list[type[Model]]:
    return [_bare(branch) for branch in get_args(annotation)]


def _fields(model: type[Model]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _known(model: type[Model]) -> list[str]:
    return [name for name in _fields(model) if name not in INJECTED or model is not Settings]


def _choices(annotation: Any) -> list[str]:
    """What may be written: a Literal's values, or the metrics of scaling rules."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if _is_union(annotation):
        return [choice for branch in _branches(annotation) for choice in _choices(branch)]
    return _choices(annotation.model_fields["metric"].annotation)
