"""grantor completion: what the Bash script offers in a real Bash; what the others contain."""

import subprocess
from pathlib import Path

import pytest

from grantor.cli.commands import list_names
from grantor.cli.main import main


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    """The script for Bash."""
    assert main(["completion", "bash"]) == 0
    return capsys.readouterr().out


def complete(script: str, folder: Path, *words: str) -> list[str]:
    """Return what Bash offers for the last of the words."""
    typed = " ".join(f"'{word}'" for word in words)
    asked = f"{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _grantor; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    command = ["bash", "--norc", "-uo", "pipefail", "-c", asked]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["grantor", ""], ["--help", "--version", *list_names()]),
        (["grantor", "re"], ["reject", "reach", "report", "review", "rebuild", "redrive"]),
        (["grantor", "plan", "--m"], ["--markdown"]),
        (["grantor", "adopt", "--permission", "R"], ["READ", "READWRITE"]),
        (["grantor", "redrive", "u"], ["upload"]),
        (["grantor", "plan", "--policy", ""], ["policy"]),
        (["grantor", "plan", "--policy", "policy", "--ex"], ["--expect-no-changes"]),
        (["grantor", "check", "te"], ["team.yaml"]),
        (["grantor", "test", "po"], ["policy"]),
        (["grantor", "test", "--junit", "te"], ["team.yaml"]),
        (["grantor", "test", "--t"], ["--threshold"]),
        (["grantor", "plan", "--stack", ""], []),
        (["grantor", "unknown", ""], []),
    ],
    ids=lambda given: " ".join(given) or "nothing",
)
def test_bash_offers(script: str, tmp_path: Path, words: list[str], offered: list[str]):
    (tmp_path / "policy").mkdir()
    (tmp_path / "team.yaml").touch()

    assert complete(script, tmp_path, *words) == offered


def test_the_script_for_zsh_is_that_for_bash_with_zshs_own_adapter(
    script: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["completion", "zsh"]) == 0
    printed = capsys.readouterr().out

    assert printed.endswith(script)
    assert "bashcompinit" in printed


def test_the_script_for_fish_completes_every_command_and_its_options(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["completion", "fish"]) == 0
    lines = capsys.readouterr().out.splitlines()

    for name in list_names():
        assert [line for line in lines if f"-a {name} " in line], name
    assert "complete -c grantor -n '__fish_seen_subcommand_from plan' -l policy -rF" in "\n".join(
        lines
    )
    assert all(line.startswith(("complete -c grantor ", "#")) for line in lines)
