"""What is replaced or destroyed, why, what is lost with it, and whether somebody has taken responsibility for that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from operations.report import safe, tables
from operations.report.acknowledgement import Acknowledgement, Verb
from operations.report.preview import Change, Preview, State, name_of, short, top, type_of
from operations.report.tables import Stateful

# Inputs that are a resource's name in AWS, of which there can only be one.
NAMES = ("identifier", "clusterIdentifier", "replicationGroupId", "brokerName", "bucket", "name")


@dataclass(frozen=True)
class Loss:
    urn: str
    type: str
    name: str
    verb: Verb
    because: str
    what: str = ""  # of one that holds data: "database"; empty where nothing but the resource itself is lost
    lost: str = ""
    protected: bool = False
    retained: bool = False  # it stays in AWS, and Pulumi forgets it
    same_name: str = ""  # the input that gives old and new one the same name there
    acknowledged: bool = False

    @property
    def stateful(self) -> bool:
        return bool(self.what)

    @property
    def blocks(self) -> bool:
        return self.stateful and not self.acknowledged


@dataclass(frozen=True)
class Losses:
    items: tuple[Loss, ...]
    idle: tuple[str, ...]  # sentences about acknowledgements that were of no use

    @property
    def blocking(self) -> tuple[Loss, ...]:
        return tuple(item for item in self.items if item.blocks)

    @property
    def stateful(self) -> tuple[Loss, ...]:
        return tuple(item for item in self.items if item.stateful)


def losses(preview: Preview, acknowledged: Sequence[Acknowledgement]) -> Losses:
    """Those that hold data first, and of those the ones that nobody has acknowledged."""
    found = [_loss(change, preview) for change in preview.changes.values() if _is_lost(change)]
    stopped = {urn: kind for urn, kind in preview.refused.items() if not _is_lost(preview.changes.get(urn))}
    found += [_refused(urn, "replace" if kind == "replace" else "destroy") for urn, kind in stopped.items()]
    stateful = [item for item in found if item.stateful]
    heard = {item.urn for said in acknowledged if (item := _meant(said, stateful))}
    items = [replace(item, acknowledged=item.urn in heard) for item in found]
    items.sort(key=lambda item: (not item.blocks, not item.stateful, item.verb, item.type, item.name))
    return Losses(tuple(items), tuple(_idle(acknowledged, found, preview.stack)))


def _is_lost(change: Change | None) -> bool:
    return change is not None and change.kind in ("replace", "destroy") and change.state.custom


def _loss(change: Change, preview: Preview) -> Loss:
    gone = change.old or change.state
    kept = _kept(change.type, gone)
    replaced = change.kind == "replace"
    return Loss(
        urn=change.urn,
        type=change.type,
        name=change.name,
        verb="replace" if replaced else "destroy",
        because=_why_replaced(change, preview) if replaced else _why_destroyed(change, preview),
        what=kept.what if kept else "",
        lost=kept.why if kept else "",
        protected=change.protected or change.urn in preview.refused,
        retained=gone.retain_on_delete,
        same_name=_same_name(change) if replaced else "",
    )


def _same_name(change: Change) -> str:
    old, new = change.old or State(), change.new or State()
    chosen = (name for name in NAMES if name not in (new.inputs.get("__defaults") or ()))
    return next(
        (name for name in chosen if new.inputs.get(name) and old.inputs.get(name) == new.inputs[name]), ""
    )


def _refused(urn: str, verb: Verb) -> Loss:
    """One at which the engine stopped: it says no more of it."""
    kept = _kept(type_of(urn), State())
    return Loss(
        urn=urn,
        type=type_of(urn),
        name=name_of(urn),
        verb=verb,
        because="the engine stopped at it, since it is protected, and does not say which input is the reason",
        what=kept.what if kept else "",
        lost=kept.why if kept else "",
        protected=True,
    )


def _kept(type_: str, state: State) -> Stateful | None:
    found = tables.stateful().get(type_)
    return None if found is None or (found.unless and state.inputs.get(found.unless) is not None) else found


def _why_replaced(change: Change, preview: Preview) -> str:
    if change.replacing:
        names = dict.fromkeys(top(path) for path in change.replacing)
        return f"{', '.join(_changed(change, name) for name in names)} cannot be changed in place"
    replaced = {
        urn for urn, other in preview.changes.items() if other.kind == "replace" and urn != change.urn
    }
    for name in change.state.property_dependencies:
        causes = [urn for urn in change.state.sources(name) if urn in replaced]
        if causes:
            return f"its `{name}` comes from {_replaced(causes)}"
    causes = [urn for urn in change.state.dependencies if urn in replaced]
    return (
        f"it depends on {_replaced(causes)}"
        if causes
        else "the preview does not say which input is the reason"
    )


def _changed(change: Change, name: str) -> str:
    """The input with its values, where they are plain words that may be shown."""
    old, new = (safe.word(state, name) if state else None for state in (change.old, change.new))
    return f"`{name}` ({old} → {new})" if old and new and old != new else f"`{name}`"


def _replaced(urns: Sequence[str]) -> str:
    return (
        f"{_listed(sorted(name_of(urn) for urn in urns))}, which {'is' if len(urns) == 1 else 'are'} replaced"
    )


def _why_destroyed(change: Change, preview: Preview) -> str:
    twins = [
        other.name
        for other in preview.changes.values()
        if other.kind == "create" and other.type == change.type and change.type in tables.stateful()
    ]
    same = f"{_listed(twins)} of the same type {'is' if len(twins) == 1 else 'are'} created"
    renamed = f"; {same}: if that is a new name for it, an alias in the program keeps it" if twins else ""
    return f"the program does not declare it any more{renamed}"


def _listed(names: Sequence[str], at_most: int = 3) -> str:
    """Between backticks, of which there may be none in a name: the comment makes code spans of them."""
    shown = ", ".join(f"`{name.replace('`', '')}`" for name in names[:at_most])
    return f"{shown} and {len(names) - at_most} more" if len(names) > at_most else shown


def _meant(said: Acknowledgement, stateful: Sequence[Loss]) -> Loss | None:
    """The one loss that it names; a name that several have could mean any of them."""
    named = [item for item in stateful if item.verb == said.verb and said.names(item.urn)]
    return named[0] if len(named) == 1 else None


def _idle(acknowledged: Sequence[Acknowledgement], found: Sequence[Loss], stack: str | None) -> Iterable[str]:
    for said in acknowledged:
        if said.stack not in (None, stack):
            continue  # of another stack that the same pull request changes
        line = f"`groundwork: {said.verb} {said.name}`"
        named = [item for item in found if said.names(item.urn)]
        same_verb = [item for item in named if item.verb == said.verb]
        stateful = [item for item in same_verb if item.stateful]
        if not named:
            yield f"{line} names nothing that is replaced or destroyed here"
        elif not same_verb:
            done = {"replace": "replaced", "destroy": "destroyed"}[named[0].verb]
            yield f"{line} names what would be {done}: write `groundwork: {named[0].verb}` if that is meant"
        elif not stateful:
            yield f"{line} names what holds no data: it needs no acknowledgement"
        elif len(stateful) > 1:
            types = _listed([short(item.type) for item in stateful])
            yield f"{line} could mean any of {types}: write the URN"
