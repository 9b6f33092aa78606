"""The Makefile: `make` alone lists every target, in lines that fit a terminal."""

import re
import subprocess

from tests.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_alone_lists_every_target_in_80_columns():
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)

    assert {line.split()[0] for line in lines} == set(phony.replace("\\\n", " ").split())
    assert [line for line in lines if len(line) > 80] == []


def test_every_folder_and_module_that_the_makefile_runs_exists():
    paths = re.findall(r"\b(?:tests|sandbox|spark_jobs|iam_audit|locks)/[\w./-]+", MAKEFILE)
    modules = re.findall(r"-m ((?:demo|docs|benchmarks|iam_audit|tests)[\w.]*)", MAKEFILE)

    assert [path for path in paths if not (ROOT / path).exists()] == []
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
