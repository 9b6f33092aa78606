"""rclone with vended credentials, which allow no call on the bucket as a whole."""

from pathlib import Path

import pytest

from tests.s3_clients.conftest import Person, Run

ONCE = ("--retries", "1", "--low-level-retries", "1", "--config", "/dev/null")


def rclone(person: Person, *words: str) -> Run:
    """Run rclone with what its documentation asks for where buckets cannot be listed."""
    options = {
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_ENDPOINT": person.shell.variables["AWS_ENDPOINT_URL"],
        "RCLONE_S3_FORCE_PATH_STYLE": "true",
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    return person.shell.run("rclone", *words, *ONCE, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A local folder with a file and a folder."""
    made = tmp_path / "in"
    (made / "sub").mkdir(parents=True)
    (made / "a.csv").write_text("a")
    (made / "sub/b.csv").write_text("b")
    return made


def test_a_folder_is_copied_listed_synchronised_and_purged(person: Person, folder: Path) -> None:
    target = ":s3:data/UserA/in"
    assert rclone(person, "copy", str(folder), target).returncode == 0
    listed = rclone(person, "lsf", "-R", ":s3:data/UserA").stdout.split()
    assert sorted(listed) == ["in/", "in/a.csv", "in/sub/", "in/sub/b.csv"]
    assert rclone(person, "sync", str(folder / "sub"), target).returncode == 0
    assert person.list_keys() == ["UserA/in/b.csv", "UserB/secret.csv"]
    assert rclone(person, "purge", target).returncode == 0
    assert person.list_keys() == ["UserB/secret.csv"]


def test_an_empty_folder_is_a_marker_that_ends_in_a_slash(person: Person) -> None:
    made = rclone(person, "mkdir", ":s3,directory_markers:data/UserA/empty")
    assert made.returncode == 0, made.stderr
    assert "UserA/empty/" in person.list_keys()
    removed = rclone(person, "rmdirs", "--leave-root", ":s3,directory_markers:data/UserA")
    assert removed.returncode == 0, removed.stderr
    assert "UserA/empty/" not in person.list_keys()


def test_the_folder_of_another_is_refused(person: Person, folder: Path) -> None:
    for words in (
        ("copyto", str(folder / "a.csv"), ":s3:data/UserB/a.csv"),
        ("cat", ":s3:data/UserB/secret.csv"),
        ("lsf", ":s3:data/UserB"),
        ("deletefile", ":s3:data/UserB/secret.csv"),
    ):
        refused = rclone(person, *words)
        assert refused.returncode != 0, words
        assert "403" in refused.stderr or "AccessDenied" in refused.stderr, words
    assert person.list_keys() == ["UserB/secret.csv"]
