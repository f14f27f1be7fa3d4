"""Where one stack of one project keeps its things offline, and the copy of its stack file that the engine writes to."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from local.steps import Failure

DEFAULT_PORT = 4566
PORT_VARIABLE = "GROUNDWORK_EMULATOR_PORT"

# Not a secret: it opens the state of a stack that exists on this machine only, and holds stand-ins for secrets.
PASSPHRASE = "offline"

# Nothing of the person's own AWS or Pulumi reaches the offline engine. Without bytecode, which some containers turn
# off, every plugin would compile the SDK anew: five seconds of CPU for each command.
FORGOTTEN = ("AWS_", "PULUMI_", "PYTHONDONTWRITEBYTECODE", "GROUNDWORK_RECORD")

# What `pulumi stack init` wrote for the real backend; a stack file that names a KMS key cannot be read offline.
ENCRYPTION_KEYS = ("encryptionsalt", "secretsprovider", "encryptedkey")


def port_from(environment: Mapping[str, str]) -> int:
    """The emulator's port. Raises Failure for a value that is none."""
    text = environment.get(PORT_VARIABLE) or str(DEFAULT_PORT)
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise Failure(
            f"{PORT_VARIABLE} must be a port from 1024 to 65535, got {text}. Set another, or unset it."
        )
    return int(text)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A stack that is worked on without AWS.

    `root` holds Pulumi.yaml and the program; `home` what all commands share (engine, plugins, emulator); `folder`
    what belongs to this work alone: state, log, and a scratch project with copies of Pulumi.yaml and the stack file.
    """

    root: Path
    home: Path
    folder: Path
    engine: Path
    system: str
    stack: str
    port: int

    @property
    def stack_name(self) -> str:
        """What the engine calls the stack. One project holds every system, so those below systems/ say whose it is."""
        is_shared = self.stack_file.parent == self.root
        return self.stack if is_shared else f"{self.system}-{self.stack}"

    @property
    def config_file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack_name}.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.stack}.log"

    @property
    def boot_note(self) -> Path:
        """Holds the boot id of the emulator that the state describes."""
        return self.folder / "emulator-boot"

    @property
    def unfinished_note(self) -> Path:
        """Stands while an engine changes what stands; one that is found later was killed."""
        return self.folder / "unfinished"

    @property
    def pulumi_home(self) -> Path:
        return self.home / "pulumi"

    @property
    def policy_pack(self) -> Path:
        return self.root / "policies"

    @property
    def stack_file(self) -> Path:
        """The tracked stack file. Raises Failure, naming those that exist, when there is none."""
        own = self.root / "systems" / self.system / f"Pulumi.{self.stack}.yaml"
        shared = self.root / f"Pulumi.{self.stack}.yaml"
        if own.exists():
            return own
        if shared.exists():
            return shared
        files = [
            *self.root.glob("Pulumi.*.yaml"),
            *(self.root / "systems" / self.system).glob("Pulumi.*.yaml"),
        ]
        names = sorted(path.name.split(".")[1] for path in files)
        raise Failure(
            f"There is no stack {self.stack} of {self.system}; there are: {', '.join(names) or 'none'}. "
            f"A new one is a file Pulumi.{self.stack}.yaml."
        )

    def environment(self) -> dict[str, str]:
        """What the engine needs to work offline, on this state, with our plugins."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(FORGOTTEN)},
            "PATH": os.pathsep.join([str(self.engine.parent), os.environ.get("PATH", os.defpath)]),
            "PULUMI_HOME": str(self.pulumi_home),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # Gives the commands their --event-log.
            "PULUMI_DEBUG_COMMANDS": "true",
            "GROUNDWORK_STACK_FILE": os.path.relpath(self.stack_file, self.root),
        }

    def write_copy(self) -> None:
        """Copies the project and stack file to the scratch folder, for this port and without the real encryption."""
        text = offline(readable(self.stack_file, self.root), self.port)
        if salt := _salt(self.config_file):
            text += f"\n{salt}\n"
        self.state.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text, encoding="utf-8")
        shutil.copyfile(self.root / "Pulumi.yaml", self.folder / "Pulumi.yaml")


def open_workspace(root: Path, engine: Path, *, purpose: str, system: str, stack: str) -> Workspace:
    """`purpose` is `up`, `preview` or `compare`: the last two share nothing with what stands, or with another stack."""
    home = root / ".local"
    folder = home / purpose / system
    return Workspace(
        root=root,
        home=home,
        folder=folder if purpose == "up" else folder / stack,
        engine=engine,
        system=system,
        stack=stack,
        port=port_from(os.environ),
    )


def readable(path: Path, root: Path) -> str:
    """The text of a stack file. Raises Failure when it is no YAML: the engine's own words for that fill a screen."""
    text = path.read_text(encoding="utf-8")
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Failure(
            f"{path.relative_to(root)} is no YAML{place}: {problem}. Mend it; nothing was created."
        ) from None
    return text


def offline(text: str, port: int) -> str:
    """A stack file as the offline commands use it; the other lines stay where they were, for messages with a line."""
    lines = ["" if line.startswith(ENCRYPTION_KEYS) else line for line in text.splitlines()]
    return re.sub(rf"(//(?:localhost|127\.0\.0\.1)):{DEFAULT_PORT}\b", rf"\1:{port}", "\n".join(lines)) + "\n"


def _salt(config_file: Path) -> str | None:
    """The line that the engine wrote into the last copy; without it the state's secrets could not be read."""
    if not config_file.exists():
        return None
    lines = config_file.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("encryptionsalt:")), None)
