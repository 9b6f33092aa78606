"""pyarrow with vended credentials: it marks folders with keys that end in a slash.

It reads no endpoint from the environment, so a script passes it on.
"""

import pytest

from tests.s3_clients.conftest import Person

CONNECT = """
import os
import pyarrow as pa, pyarrow.dataset as ds, pyarrow.fs as fs
s3 = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
table = pa.table({"rings": [1, 2, 3], "sex": ["M", "F", "M"]})
"""


def test_a_file_is_deleted_and_its_folder_stays_as_a_marker(person: Person) -> None:
    person.put("UserA/in.csv")
    person.shell.python(CONNECT + 's3.delete_file("data/UserA/in.csv")')
    assert person.list_keys() == ["UserA/", "UserB/secret.csv"]


def test_a_file_is_moved_and_keys_with_doubled_slashes_are_left_alone(person: Person) -> None:
    person.put("UserA/in.csv", b"moved")
    person.put("UserA//in.csv", b"another")
    person.shell.python(CONNECT + 's3.move("data/UserA/in.csv", "data/UserA/sub/out.csv")')
    assert set(person.list_keys()) - {"UserA/"} == {
        "UserA//in.csv", "UserA/sub/out.csv", "UserB/secret.csv",
    }  # fmt: skip


def test_a_dataset_is_written_below_the_prefix_and_read_again(person: Person) -> None:
    where = '"data/UserA/ds", filesystem=s3'
    write = f'ds.write_dataset(table, {where}, format="parquet", partitioning=["sex"]'
    printed = person.shell.python(
        f"{CONNECT}{write}, create_dir=False)\n"
        f"print(ds.dataset({where}, partitioning=['sex']).to_table().num_rows)"
    )
    assert printed == "3\n"
    refused = person.shell.run("python", "-c", f"{CONNECT}{write.replace('/ds', '/new')})")
    # It looks for the bucket first, which a grant for a prefix does not allow on AWS either.
    assert "ACCESS_DENIED during HeadBucket" in refused.stderr


@pytest.mark.parametrize(
    "action",
    [
        's3.open_input_stream("data/UserB/secret.csv").read()',
        's3.delete_file("data/UserB/secret.csv")',
        's3.copy_file("data/UserA/in.csv", "data/UserB/out.csv")',
        's3.move("data/UserB/secret.csv", "data/UserA/mine.csv")',
    ],
    ids=["read", "delete", "copy", "move"],
)
def test_the_folder_of_another_is_refused(person: Person, action: str) -> None:
    person.put("UserA/in.csv")
    refused = person.shell.run("python", "-c", CONNECT + action)
    assert "ACCESS_DENIED" in refused.stderr
    assert person.list_keys() == ["UserA/in.csv", "UserB/secret.csv"]
