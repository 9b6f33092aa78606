"""Deployed archives as folders, each content unpacked once."""

import hashlib
import io
import zipfile
from pathlib import Path
from threading import Lock

_UNPACKING = Lock()


def unpacked(folder: Path, *archives: bytes) -> Path:
    """The folder below `folder` with what is in the archives, merged; ValueError for a path that would leave it.

    A file of a later archive replaces that of an earlier one, as in layers (AWS, "Adding layers to functions").
    """
    place = folder / hashlib.sha256(b"".join(hashlib.sha256(archive).digest() for archive in archives)).hexdigest()[:32]
    with _UNPACKING:
        if not place.exists():
            partial = place.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            for archive in archives:
                _unpack(archive, partial)
            partial.rename(place)
    return place


def layer_paths(layers: Path) -> tuple[Path, ...]:
    """Where Python looks in the merged layers (AWS, "Packaging your layer content")."""
    return layers / "python" / "lib" / "python3.12" / "site-packages", layers / "python"


def _unpack(archive: bytes, place: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            target = (place / member.filename).resolve()
            if not target.is_relative_to(place.resolve()):
                raise ValueError(f"the archive has a path that leaves it: {member.filename}")
            # Extracting forgets the mode, and a bundled program needs its own.
            opened.extract(member, place)
            if mode := member.external_attr >> 16:
                target.chmod(mode | 0o600)
