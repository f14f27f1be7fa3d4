"""The samples in docs/examples: three changes of RentalFix's production, recorded from real previews.

`python -m tests.report_samples` writes docs/examples from the recordings in tests/report_recordings;
`python -m tests.report_samples --record` makes the recordings anew first, with the engine, in some two minutes: each
change is made in a clone of this repository's HEAD and compared with it, as `python -m local compare` does.

The recordings are what the engine wrote, without what no report reads. What stays as it is, is the same for all of them
and is kept once.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import comparison, engine
from local.steps import Failure, Steps
from local.workspace import Workspace
from operations.report import findings
from operations.report.comment import comment
from operations.report.preview import read
from operations.report.report import build

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = Path(__file__).resolve().parent / "report_recordings"
EXAMPLES = ROOT / "docs" / "examples"
DIFF = "changes.txt"
PORT = 4599  # of no emulator: nothing is asked there


@dataclass(frozen=True)
class Edit:
    """A text that stands in a file once, and what takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Sample:
    edits: Sequence[Edit]
    examples: Mapping[str, str]  # name in docs/examples: the text of the pull request


_NOTIFIER = """  notifier:
    command: [node, dist/main.js]
    user: "1000"
    ports: {metrics: 9090}
    health: {command: [node, -e, "require('http').get('http://127.0.0.1:9090/metrics')"]}
    writable_paths: [/tmp]
    connects_to: [queue]
    environment:
      REDIS_HOST: ${caches.queue.endpoint}
      REDIS_PORT: ${caches.queue.port}
      REDIS_TLS: "true"
    secrets:
      REDIS_PASSWORD: ${caches.queue.auth_token}
    scaling:
      - {metric: cpu, target_percent: 70}

"""
_SIZE = """    notifier:
      image_tag: 1.0.0
      cpu: 256
      memory_mib: 512
      desired_count: 2
      min_count: 2
      max_count: 6
"""

_EDGE = '      "firewall-collector -> firewall-worker-ai: 9090",\n'

SAMPLES: Mapping[str, Sample] = {
    "instance-class-up": Sample(
        edits=[
            Edit(
                "Pulumi.prod.yaml",
                "    instance_class: db.r6g.large\n",
                "    instance_class: db.r6g.xlarge\n",
            ),
            Edit("Pulumi.prod.yaml", "shared_buffers: 524288 #", "shared_buffers: 1048576 #"),
        ],
        examples={"instance-class-up": ""},
    ),
    "database-renamed": Sample(
        edits=[Edit("systems/rentalfix/system.yaml", "\n  name: rentfix\n", "\n  name: rentalfix\n")],
        examples={
            "database-renamed": "",
            "database-renamed-acknowledged": "The dump of Friday is restored.\n\ngroundwork: replace database\n",
        },
    ),
    "new-service": Sample(
        edits=[
            Edit("systems/rentalfix/system.yaml", "\ntasks: #", f"\n{_NOTIFIER}tasks: #"),
            *(
                Edit(
                    f"Pulumi.{stack}.yaml",
                    "  groundwork:operations:\n",
                    f"{_SIZE}  groundwork:operations:\n",
                )
                for stack in ("prod", "staging", "local")
            ),
            Edit(
                "policies.prod.json",
                _EDGE,
                f"{_EDGE}{_EDGE.replace('worker-ai', 'notifier')}"
                '      "firewall-notifier -> firewall-cache-queue: 6379",\n',
            ),
        ],
        examples={"new-service": ""},
    ),
}


# Making the recordings.


def record() -> None:
    """Previews each sample with the real engine, and keeps what a report needs of it."""
    unchanged: dict[str, Any] = {}
    RECORDINGS.mkdir(exist_ok=True)
    for name, sample in SAMPLES.items():
        preview, events = compared(sample)
        steps = preview["steps"]
        unchanged |= {step["urn"]: _trimmed(step) for step in steps if step["op"] == "same"}
        preview["steps"] = [_trimmed(step) for step in steps if step["op"] != "same"]
        kept = {key: preview[key] for key in ("changeSummary", "comparedWith", "steps")}
        kept["config"] = {key: preview["config"][key] for key in ("aws:region", "groundwork:system")}
        _write(RECORDINGS / f"{name}.json", kept)
        lines = (json.dumps(event, separators=(",", ":")) for event in _of_policies(events))
        (RECORDINGS / f"{name}.events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write(RECORDINGS / "unchanged.json", {"steps": list(unchanged.values())})


def compared(sample: Sample) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the engine says of a change made in a clone of this repository."""
    found = engine.find(ROOT / ".local")
    if not found:
        sys.exit("The engine is not there. Run `make up`.")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(clone)], check=True)
        for edit in sample.edits:
            change(clone / edit.file, edit)
        work = Path(folder) / "work"
        work.mkdir()
        workspace = Workspace(
            root=clone,
            home=ROOT / ".local",
            folder=work,
            engine=found,
            system="rentalfix",
            stack="prod",
            port=PORT,
        )
        output, log = io.StringIO(), Path(folder) / "events.jsonl"
        try:
            comparison.compare(
                workspace, Steps(sys.stderr), base="HEAD", form="json", output=output, kept_events=log
            )
        except Failure as failure:
            sys.exit(f"No preview of a sample may fail: {failure}")
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return json.loads(output.getvalue()), events


def change(path: Path, edit: Edit) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        sys.exit(f"{edit.file} has {text.count(edit.old)} times {edit.old!r}; mend the sample.")
    path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _trimmed(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step without what no report reads: outputs, positions in the program, inputs of what has no price."""
    kept = {key: step[key] for key in ("op", "urn")}
    kept |= {key: step[key] for key in ("diffReasons", "replaceReasons", "detailedDiff") if step.get(key)}
    states = ("newState",) if step["op"] == "same" else ("oldState", "newState")
    return kept | {
        name: _trimmed_state(step[name], whole=step["op"] != "same") for name in states if step.get(name)
    }


def _trimmed_state(state: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    kept = {key: state[key] for key in ("custom", "protect", "retainOnDelete", "parent") if state.get(key)}
    inputs = {name: _short(value) for name, value in (state.get("inputs") or {}).items() if name != "tags"}
    sources = {name: urns for name, urns in (state.get("propertyDependencies") or {}).items() if urns}
    if not whole:
        kept.pop("parent", None)
        inputs = {name: value for name, value in inputs.items() if name in _PRICED}
        sources = {name: urns for name, urns in sources.items() if name in _LINKS}
    said = {urn for urns in sources.values() for urn in urns}
    others = [urn for urn in state.get("dependencies") or [] if urn not in said] if whole else []
    found = {"inputs": inputs, "propertyDependencies": sources, "dependencies": others}
    return kept | {key: value for key, value in found.items() if value}


def _short(value: Any) -> Any:
    """Documents (policies, containers, queries) without their content: a report reads none."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return f"{value[:30]}..." if isinstance(value, str) and len(value) > 60 else value


# Inputs by which a price depends on another resource, and all on which one depends.
_LINKS = ("taskDefinition", "resourceId", "replicateSourceDb")
_PRICED = (
    *("engine", "instanceClass", "multiAz", "storageType", "allocatedStorage", "maxAllocatedStorage"),
    *("replicateSourceDb", "performanceInsightsRetentionPeriod", "nodeType", "numNodeGroups"),
    *("replicasPerNodeGroup", "numCacheClusters", "vpcEndpointType", "subnetIds", "internal", "subnets"),
    *("metricQueries", "period", "rules", "type", "measureLatency", "requestInterval", "launchType"),
    *("desiredCount", "taskDefinition", "cpu", "memory", "runtimePlatform", "minCapacity", "maxCapacity"),
    "resourceId",
)


def _of_policies(events: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    yield {"policyAnalyzeStackSummaryEvent": {}}
    yield from ({"policyEvent": event["policyEvent"]} for event in events if "policyEvent" in event)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """One step a line, so that a change of the file can be read."""
    steps = ",\n".join(json.dumps(step, separators=(",", ":")) for step in content["steps"])
    rest = {key: value for key, value in content.items() if key != "steps"}
    path.write_text(f'{{"steps":[\n{steps}\n],"rest":{json.dumps(rest)}}}\n', encoding="utf-8")


# Reading them.


def recorded(name: str) -> tuple[str, str]:
    """The preview as JSON, and the event log."""
    own, shared = (
        json.loads((RECORDINGS / f"{each}.json").read_text(encoding="utf-8")) for each in (name, "unchanged")
    )
    changed = {step["urn"] for step in own["steps"]}
    steps = [*own["steps"], *(step for step in shared["steps"] if step["urn"] not in changed)]
    for step in steps:
        # The URN says it as well, so it is not kept.
        type_ = step["urn"].split("::")[2].rpartition("$")[2]
        for state in (step[name] for name in ("oldState", "newState") if name in step):
            state["type"] = type_
    log = (RECORDINGS / f"{name}.events.jsonl").read_text(encoding="utf-8")
    return json.dumps({**own["rest"], "steps": steps}), log


def examples() -> dict[str, str]:
    """Name in docs/examples: what the tool makes of its recording."""
    made = {}
    for name, sample in SAMPLES.items():
        preview, log = recorded(name)
        for example, said in sample.examples.items():
            report = build(read(preview), findings.read(log), stack="prod", acknowledged=said)
            made[example] = comment(report, diff=DIFF)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.report_samples")
    parser.add_argument("--record", action="store_true", help="make the recordings anew, with the engine")
    if parser.parse_args().record:
        record()
    for name, text in examples().items():
        (EXAMPLES / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
