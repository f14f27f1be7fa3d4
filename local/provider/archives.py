"""The bytes behind an asset or an archive, the same ones each time for the same content."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.provider.values import Asset

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: content alone decides the bytes


def content_of(asset: Asset) -> bytes:
    """Bytes of a file or a text; an archive's as a zip. Remote ones (`uri`) are refused: nothing is downloaded."""
    fields = asset.fields
    if "assets" in fields:
        return _zip(_members(fields["assets"]))
    if "text" in fields:
        return fields["text"].encode()
    if "path" in fields:
        path = Path(fields["path"])
        return _zip(_files(path)) if path.is_dir() else path.read_bytes()
    raise ValueError("an asset is given by a path, a text or other assets: the emulator downloads nothing")


def _members(assets: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for name, asset in assets.items():
        path = asset.fields.get("path")
        if path is not None and Path(path).is_dir():
            for inner, content in _files(Path(path)):
                yield f"{name}/{inner}", content
        else:
            yield name, content_of(asset)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _zip(members: Iterator[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()
