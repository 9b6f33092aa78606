"""s3fs with vended credentials, and the empty objects that it and consoles make for folders."""

from tests.s3_clients.conftest import Person

CONNECT = "import s3fs\ns3 = s3fs.S3FileSystem()\n"


def test_a_folder_marker_is_written_listed_and_deleted(person: Person) -> None:
    printed = person.shell.python(
        CONNECT + 's3.touch("data/UserA/folder/")\n'
        's3.pipe("data/UserA/folder/a.csv", b"1")\n'
        'print(sorted(s3.find("data/UserA/", withdirs=True)))'
    )
    assert "data/UserA/folder/a.csv" in printed
    assert person.list_keys() == ["UserA/folder/", "UserA/folder/a.csv", "UserB/secret.csv"]
    person.shell.python(CONNECT + 's3.rm("data/UserA/folder", recursive=True)')
    assert person.list_keys() == ["UserB/secret.csv"]


def test_a_file_is_moved_within_the_prefix(person: Person) -> None:
    person.put("UserA/in.csv")
    person.shell.python(CONNECT + 's3.mv("data/UserA/in.csv", "data/UserA/out.csv")')
    assert person.list_keys() == ["UserA/out.csv", "UserB/secret.csv"]


def test_the_folder_of_another_is_refused(person: Person) -> None:
    for action in ('cat("data/UserB/secret.csv")', 'pipe("data/UserB/x", b"")', 'ls("data/UserB")'):
        refused = person.shell.run("python", "-c", f"{CONNECT}s3.{action}")
        assert "PermissionError" in refused.stderr, action
    assert person.list_keys() == ["UserB/secret.csv"]
