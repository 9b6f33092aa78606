"""What `sam build` makes: small artifacts, and the same bytes from the same sources.

Only SAM and Python 3.12 matter, whatever else is on PATH.
"""

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.clients.sam import copy_sources
from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(300)
SYSTEM = "/usr/bin:/bin"  # make, cp, find
MAX_LAYER_BYTES = 10 * 1024 * 1024  # zipped; every cold start pays for the layer


def build_copy(path: str, home: Path) -> Path:
    """Build a copy of the sources in `home` with this PATH; return the folder of the artifacts."""
    given = {"PATH": path, "HOME": str(home), "SAM_CLI_TELEMETRY": "0"}
    given |= {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    done = subprocess.run(
        [ROOT / ".tools/sam/bin/sam", "build"],
        cwd=copy_sources(home / "sources"),
        env=given,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "sources/.aws-sam/build"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two builds in different folders: one with a bare PATH, one with the project's tools and uv on
    it.
    """
    tools = tmp_path_factory.mktemp("tools")
    (tools / "python3.12").symlink_to((ROOT / ".venv/bin/python3.12").resolve())
    bare, full = (
        f"{tools}:{SYSTEM}",
        f"{ROOT / '.tools/uv/bin'}:{ROOT / '.venv/bin'}:{os.environ['PATH']}",
    )
    assert (shutil.which("uv", path=bare), shutil.which("uv", path=full) is None) == (None, False)
    return build_copy(bare, tmp_path_factory.mktemp("one")), build_copy(
        full, tmp_path_factory.mktemp("another")
    )


def hash_files(folder: Path) -> dict[str, str]:
    """Hash each file; return the hashes by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def zip_folder(folder: Path, into: Path) -> int:
    """Zip a folder as `sam deploy` does; return the size in bytes."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder))
    return into.stat().st_size


def test_two_builds_are_equal_in_every_byte(built: tuple[Path, Path]):
    one, other = map(hash_files, built)

    assert one == other
    assert "GrantorLayer/python/grantor/__init__.py" in one


def test_the_layer_is_small_and_its_modules_come_compiled(built: tuple[Path, Path], tmp_path: Path):
    sizes = {
        folder.name: zip_folder(folder, tmp_path / f"{folder.name}.zip")
        for folder in built[0].iterdir()
        if folder.is_dir()
    }
    print(
        *(f"{size / 1024:8,.0f} KB zipped  {name}" for name, size in sorted(sizes.items())),
        sep="\n",
    )
    compiled = {
        path.name.split(".")[0]
        for path in (built[0] / "GrantorLayer/python/grantor").glob("__pycache__/*.cpython-312.pyc")
    }

    assert sizes["GrantorLayer"] <= MAX_LAYER_BYTES
    assert compiled == {
        path.stem for path in (built[0] / "GrantorLayer/python/grantor").glob("*.py")
    }


def test_the_built_templates_are_plain_yaml_within_cloudformations_size_limit(
    built: tuple[Path, Path],
):
    """CloudFormation takes no aliases, and at most 1 MB from S3 (User Guide: formats, quotas)."""
    templates = {str(path.relative_to(built[0])): path for path in built[0].rglob("template.yaml")}
    tokens = {
        name: {type(token).__name__ for token in yaml.scan(path.read_text())}
        for name, path in templates.items()
    }

    assert set(templates) == {"template.yaml", "Studio/template.yaml", "Operations/template.yaml"}
    assert [
        name for name, kinds in tokens.items() if "AliasToken" in kinds or "AnchorToken" in kinds
    ] == []
    assert max(path.stat().st_size for path in templates.values()) <= 1_000_000
