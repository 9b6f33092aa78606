"""Deployed archives as folders, each content unpacked once."""

import hashlib
import io
import zipfile
from pathlib import Path
from threading import Lock

_UNPACKING = Lock()


def unpacked(archive: bytes, folder: Path) -> Path:
    """The folder below `folder` that holds what is in the archive; ValueError for a path that would leave it."""
    place = folder / hashlib.sha256(archive).hexdigest()[:32]
    with _UNPACKING:
        if not place.exists():
            _unpack(archive, place)
    return place


def layer_paths(layer: Path) -> tuple[Path, ...]:
    """Where Python looks in a layer (AWS, "Packaging your layer content")."""
    return layer / "python" / "lib" / "python3.12" / "site-packages", layer / "python"


def _unpack(archive: bytes, place: Path) -> None:
    partial = place.with_suffix(".partial")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            target = (partial / member.filename).resolve()
            if not target.is_relative_to(partial.resolve()):
                raise ValueError(f"the archive has a path that leaves it: {member.filename}")
            # Extracting forgets the mode, and a bundled program needs its own.
            opened.extract(member, partial)
            if mode := member.external_attr >> 16:
                target.chmod(mode | 0o600)
    partial.rename(place)
