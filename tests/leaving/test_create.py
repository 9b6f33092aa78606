"""A creation that fails, wherever it does, takes back all that it made."""

import pytest

from tests.leaving.stage import Stage

PLACES = [
    ("AccessGrantsInstance",), ("EmptiedBuckets",), ("LocationRole",), ("Location",), ("RevokedGrants",), ("ReconcileGrants",),
    ("CloseStudioRole",), ("Studio",), ("LoadedDataset",), ("LoadedDataset", "StartSparkJob", "Studio"),
]  # fmt: skip
NESTED = [("Vpc",), ("S3Endpoint",), ("Home",), ("Domain",), ("UserA", "UserB"), ("Inhabitants",)]


@pytest.mark.parametrize("names", PLACES, ids=" and ".join)
def test_a_creation_that_fails_after_these_rolls_back_to_nothing(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.broken_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}
    assert stack.delete() == "DELETE_COMPLETE"
    assert stage.things() == before


@pytest.mark.parametrize("names", NESTED, ids=" and ".join)
def test_a_creation_that_fails_in_the_studio_environment_rolls_back_to_nothing(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.nested_broken_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}


def test_a_data_set_that_can_not_be_loaded_fails_the_creation_which_rolls_back_to_nothing(stage: Stage):
    before, stack = stage.things(), stage.stack()
    stage.fault("s3", "PutObject", after=1, principal="grantor-LoadDataset*")

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.struck() == [1]
    assert stage.things() - before == {"cloudformation stacks: grantor"}


@pytest.mark.parametrize("names", [("LoadedDataset",), ("Studio",)], ids=" and ".join)
def test_a_creation_that_fails_keeps_no_data_even_where_data_is_to_stay(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.broken_after(*names)

    assert stack.create(RetainData="true") == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}
