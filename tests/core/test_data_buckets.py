"""What is put into the configuration of existing buckets, and how exactly it is taken out again."""

import json

import pytest

from grantor.core.data_buckets import (
    BucketRecord,
    ConnectedBuckets,
    KeptText,
    add_events,
    build_vended_only,
    digest_text,
    find_covering,
    merge_statement,
    name_statement,
    remove_events,
    remove_statement,
    sends_events,
)
from grantor.core.grant import Location, choose_location
from grantor.core.planning.bounds import Bounds, parse_bounds

INSTANCE = "arn:aws-us-gov:s3:us-gov-west-1:111122223333:access-grants/default"
ROOT = '<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
THEIRS = f"{ROOT}<QueueConfiguration><Id>q</Id></QueueConfiguration></NotificationConfiguration>"
STATEMENT = build_vended_only("data", "grantor", INSTANCE, ())
SID = name_statement("grantor")
POLICY = '{ "Statement": {"Sid": "Theirs", "Effect": "Deny"}, "Version": "2012-10-17" }'


@pytest.mark.parametrize(
    "text",
    [
        THEIRS,
        f'<?xml version="1.0" encoding="UTF-8"?>\n{THEIRS}\n',
        THEIRS.replace("NotificationC", "a:NotificationC"),
        f"{ROOT}<!-- <EventBridgeConfiguration/> --></NotificationConfiguration >",
        "<NotificationConfiguration/>",
        f"{ROOT[:-1]} />",
    ],
)
def test_events_are_switched_on_and_off_and_every_other_letter_stays(text: str):
    on = add_events(text)

    assert (sends_events(text), sends_events(on)) == (False, True)
    assert add_events(on) == on
    assert not sends_events(remove_events(on))
    assert remove_events(on).count("Id>q<") == text.count("Id>q<")


def test_an_entry_of_others_comes_back_letter_by_letter():
    assert remove_events(add_events(THEIRS)) == THEIRS
    assert remove_events(f"{THEIRS[:-30]}<EventBridgeConfiguration> </EventBridgeConfiguration>")


def test_what_is_no_notification_configuration_is_not_changed():
    with pytest.raises(ValueError, match="no notification configuration"):
        add_events("<html></html>")


def test_a_statement_is_merged_beside_those_of_others_and_taken_out_again():
    merged = merge_statement(POLICY, STATEMENT)

    assert [it["Sid"] for it in json.loads(merged)["Statement"]] == ["Theirs", SID]
    assert merge_statement(merged, STATEMENT) == merged
    left = json.loads(remove_statement(merged, SID))
    assert left == {"Statement": [{"Sid": "Theirs", "Effect": "Deny"}], "Version": "2012-10-17"}
    assert remove_statement(POLICY, SID) == POLICY


def test_a_policy_of_our_statement_alone_goes_away_as_a_whole():
    merged = merge_statement("", STATEMENT)

    assert json.loads(merged) == {"Version": "2012-10-17", "Statement": [STATEMENT]}
    assert remove_statement(merged, SID) == ""
    assert remove_statement("", SID) == ""


def test_the_statement_refuses_what_was_not_vended_except_to_administrators():
    named = build_vended_only("data", "grantor", INSTANCE, ["arn:b", "arn:a"])

    assert STATEMENT["Resource"] == "arn:aws-us-gov:s3:::data/*"
    assert STATEMENT["Condition"] == {
        "ArnNotEquals": {"s3:AccessGrantsInstanceArn": INSTANCE},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    }
    assert named["Condition"]["ArnNotLike"] == {"aws:PrincipalArn": ["arn:a", "arn:b"]}
    assert name_statement("grantor") != name_statement("grantor-2")
    assert SID.isalnum()


def test_the_old_text_comes_back_only_if_nobody_has_changed_it_since():
    kept = KeptText("before", digest_text("after"))

    assert kept.restore("after", "without ours") == "before"
    assert kept.restore("changed by others", "without ours") == "without ours"
    assert digest_text("") == ""


def test_a_record_is_empty_if_nothing_is_to_be_taken_back():
    assert BucketRecord("data", "1", role="arn:role").is_empty
    assert not BucketRecord("data", location="id").is_empty
    assert not BucketRecord("data", notifications=KeptText("", "digest")).is_empty
    assert not BucketRecord("data", policy=KeptText("", "digest")).is_empty


def test_the_closest_location_over_the_whole_bucket_covers_it():
    inside, own = Location("1", "s3://data/team/"), Location("2", "s3://data")
    default = Location("default", "s3://")

    assert find_covering("data", [inside, default, own]) == own
    assert find_covering("data", [inside, default]) == default
    assert find_covering("data", [inside, Location("3", "s3://data2/")]) is None


def test_grants_are_made_at_a_location_of_the_whole_bucket_and_not_at_one_of_others_inside():
    inside, default = Location("1", "s3://data/team/"), Location("default", "s3://")
    own = Location("2", "s3://data/")

    assert choose_location("s3://data/team/x/*", [inside, default, own]) == (own, "team/x/*")
    assert choose_location("s3://data/team/x/*", [inside, default]) == (
        default,
        "data/team/x/*",
    )
    assert choose_location("s3://data/team/x/*", [inside]) == (inside, "x/*")


def test_the_default_bounds_hold_for_every_bucket_of_the_stack():
    buckets = ConnectedBuckets(("data", "more"), ("more",))
    own = Bounds.build_default("111122223333", "data", buckets).find("policy/a.yaml")
    parsed = parse_bounds(
        "bounds/bounds.yaml",
        b"version: 1\nfolders:\n  policy/blue/:\n    permissions: [READ]\n",
        "111122223333",
        "data",
        buckets,
    )

    assert own.scopes == ("s3://data/*", "s3://more/*")
    assert own.leaving == ("s3://more/*",)
    assert isinstance(parsed, Bounds)
    assert parsed.find("policy/blue/a.yaml").leaving == ("s3://more/*",)
