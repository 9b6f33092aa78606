"""`--update` writes today's messages into the corpus, shows what changed, and is off in CI."""

import shutil
from pathlib import Path

import pytest

from tests.policy import conftest
from tests.policy.corpus import CORPUS, MESSAGE, update_corpus

MODE = "'strict' is not a mode: mode must be authoritative or additive; write mode: authoritative"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A copy of the corpus."""
    return Path(shutil.copytree(CORPUS, tmp_path / "corpus"))


def read_files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.glob("*.txt"))}


def test_a_corpus_that_is_up_to_date_stays_as_it_is(corpus: Path):
    assert update_corpus(corpus) == ""
    assert read_files(corpus) == read_files(CORPUS)


def test_a_message_that_has_changed_is_written_and_shown(corpus: Path):
    file = corpus / "files.txt"
    old = MODE.replace("must be", "is")
    file.write_text(file.read_text().replace(MODE, old, 1))

    diff = update_corpus(corpus).split("\n")

    assert len(diff) == 3
    assert diff[0].startswith("files.txt: ")
    assert diff[1].startswith("  - ")
    assert diff[1].endswith(old)
    assert diff[2].startswith("  + ")
    assert diff[2].endswith(MODE)
    assert read_files(corpus) == read_files(CORPUS)


def test_a_message_that_is_missing_is_written_and_shown(corpus: Path):
    file = corpus / "files.txt"
    lines = file.read_text().split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(MESSAGE))
    file.write_text("\n".join(lines[:at] + lines[at + 1 :]))

    assert update_corpus(corpus).split("\n")[1] == f"  + {lines[at].removeprefix(MESSAGE)}"
    assert read_files(corpus) == read_files(CORPUS)


class Options:
    """pytest's configuration, as far as the option asks for it."""

    def getoption(self, name: str, default: object = None) -> object:
        return True if name == "--update" else default


@pytest.mark.parametrize("value", ["true", "1"])
def test_ci_refuses_the_option(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", value)

    with pytest.raises(pytest.UsageError, match="off in CI"):
        conftest.pytest_configure(Options())
