"""The registries of permissions and of grantee types are complete."""

import botocore.session

from grantor.core.grant import PERMISSIONS, Permission
from grantor.core.policy.grantee_types import DIRECTORY_TYPES, GRANTEE_TYPES


def test_each_permission_has_an_entry_and_no_two_share_a_misspelling() -> None:
    slips = [slip for permission_type in PERMISSIONS.values() for slip in permission_type.slips]

    assert list(PERMISSIONS) == list(Permission)
    assert len(slips) == len(set(slips))


def test_a_permission_includes_itself_and_what_it_combines() -> None:
    assert Permission.READ.included == (Permission.READ,)
    assert set(Permission.READWRITE.included) == set(Permission)


def test_each_type_of_grantee_has_a_key_of_its_own() -> None:
    keys = [grantee_type.key.name for grantee_type in GRANTEE_TYPES]

    assert len(keys) == len(set(keys))


def test_each_type_outside_iam_is_looked_up_by_an_operation_that_exists() -> None:
    model = botocore.session.get_session().get_service_model("identitystore")
    directory_types = {each.service_type for each in GRANTEE_TYPES if each.service_type != "IAM"}

    assert DIRECTORY_TYPES.keys() == directory_types
    for each in DIRECTORY_TYPES.values():
        output = model.operation_model(f"Get{each.noun.title()}Id").output_shape
        assert f"{each.noun.title()}Id" in output.members
