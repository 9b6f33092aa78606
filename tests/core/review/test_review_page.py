"""What a review shows, what its digest covers, and that nothing in a page is taken for HTML."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from grantor.core.access.answers import AccessSnapshot, find_sources
from grantor.core.access.explain import AccessEvidence
from grantor.core.access.grant_history import EventKind, GrantEvent
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Location,
    Permission,
    Reason,
    State,
    iam_grantee,
)
from grantor.core.planning.rendering import Home
from grantor.core.planning.reviews import SignedReview
from grantor.core.policy.parser import parse_policy
from grantor.core.review.access_review import NO_OWNER, AccessReview, Mark, build_review
from grantor.core.review.page_parts import SCRIPT, STYLE
from grantor.core.review.review_page import (
    MAX_TAKEN,
    build_command,
    name_page,
    render_page,
    render_pages,
)
from grantor.core.rules import Policy
from grantor.core.snapshot import Authority, Focus, Hold, Inventory, Profile, Snapshot

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
ROLE, DATA = "arn:aws:iam::111122223333:role/", "data@example.com"
LOCATIONS = (Location("1", "s3://data/"),)
NASTY = '<img src=x onerror=alert(1)>"\u202e\x1b'
TEXT = """\
version: 1
rules:
  - name: team
    owner: data@example.com
    description: "<script>alert('d')</script>"
    review: 90d
    to: {profiles: {domain: Lab}}
    on: s3://data/team/*
    allow: READ
  - name: own
    to: {each_profile: {domain: Lab}}
    on: s3://data/{profile.folder}/*
    allow: READWRITE
    until: 2026-12-31
  - name: idle
    owner: data@example.com
    to: {profiles: {domain: Lab, tags: {none: "yes"}}}
    on: s3://data/idle/*
    allow: WRITE
"""
TEAM, OWN, IDLE = (f"policy/lab.yaml#{name}" for name in ("team", "own", "idle"))


def build_state(names: Sequence[str] = ("ana", "ben"), text: str = TEXT) -> AccessSnapshot:
    """Profiles of one domain with all their grants, and a grant that no rule gives."""
    policy = parse_policy("policy/lab.yaml", text.encode(), "data")
    assert isinstance(policy, Policy), policy
    profiles = tuple(Profile("Lab", name, f"{ROLE}{name}", NOW) for name in names)
    sharing = {one.role: frozenset([one.subject]) for one in profiles}
    inventory = Inventory(NOW, LOCATIONS, profiles, frozenset({"Lab"}), sharing=sharing)
    evidence = AccessEvidence((policy,), inventory)
    entries = {
        grant: LedgerEntry(grant, State.LIVE, reasons, f"id-{number}", "2026-11-01T00:00:00Z")
        for number, (grant, reasons) in enumerate(evidence.wanted.grants.items())
    }
    theirs = Grant(Grantee("DIRECTORY_GROUP", "g-1"), Permission.WRITE, "s3://data/inbox/*")
    actual = {**{grant: entry.id for grant, entry in entries.items()}, theirs: "id-u"}
    authority = Authority.build(NOW, Focus(), {})
    snapshot = Snapshot(inventory, evidence.wanted, entries, actual, frozenset(), authority)
    sources = find_sources(policy.rules, {"policy/lab.yaml": "v7"})
    return AccessSnapshot(snapshot, evidence, sources, Home("aws", "111122223333"))


def sign(days: int, *rules: str) -> SignedReview:
    at = NOW - timedelta(days=days)
    return SignedReview(at, "AROA:eve", rules, DATA, f"{ROLE}auditor/eve", "all checked", "0")


def review(*signed: SignedReview, state: AccessSnapshot | None = None) -> AccessReview:
    return build_review(state or build_state(), "grantor", signed)


def make_end(hours: float, rule: str = TEAM) -> GrantEvent:
    grant = Grant(iam_grantee(f"{ROLE}cy"), Permission.READ, "s3://data/team/*")
    at = NOW - timedelta(hours=hours)
    return GrantEvent(EventKind.REVOKED, at, "id-9", grant, (Reason(rule, ("profile Lab/cy",)),))


class Page(HTMLParser):
    """The elements of a page and its text, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_each_grant_has_its_people_rule_place_since_and_until() -> None:
    (row,) = (one for one in review().rows if one.person == "Lab/ana" and one.rule == OWN)
    assert (row.place, row.grant.scope) == ("s3://data/{profile.folder}/*", "s3://data/Ana/*")
    assert (row.since[:10], row.until) == ("2026-11-01", datetime(2027, 1, 1, tzinfo=UTC))
    assert row.owner == NO_OWNER


def test_what_deserves_a_look_is_marked() -> None:
    marks = {(row.person, row.rule): set(row.marks) for row in review(sign(9, TEAM)).rows}
    assert marks["Lab/ana", TEAM] == set()
    assert marks["Lab/ana", OWN] == {Mark.NEW, Mark.NO_OWNER}
    assert Mark.UNMANAGED in marks["directory_group g-1", ""]
    assert Mark.NEW in {mark for row in review(sign(99, TEAM)).rows for mark in row.marks}


def test_a_rule_without_end_and_without_review_is_marked() -> None:
    endless = build_state(text=TEXT.replace("    review: 90d\n", ""))
    found = {one.rule for one in review(state=endless).rows if Mark.NO_END in one.marks}
    assert found == {TEAM, ""}


def test_a_rule_on_hold_is_marked() -> None:
    state = build_state()
    wanted = replace(state.snapshot.wanted, on_hold=(Hold(OWN, "", "not read"),))
    held = review(state=replace(state, snapshot=replace(state.snapshot, wanted=wanted)))
    assert {row.rule for row in held.rows if Mark.ON_HOLD in row.marks} == {OWN}


def test_a_grant_of_a_rule_that_is_gone_is_shown_with_it() -> None:
    state = build_state()
    grant, entry = next(iter(state.snapshot.entries.items()))
    gone = replace(entry, reasons=frozenset({Reason("policy/old.yaml#gone", ("prefix s3://d/",))}))
    entries = {**state.snapshot.entries, grant: gone}
    found = review(state=replace(state, snapshot=replace(state.snapshot, entries=entries)))
    assert "the rule is gone" in Page(render_page(found)).text


def test_an_entry_without_a_time_counts_as_new() -> None:
    state = build_state()
    entries = {grant: replace(one, since="") for grant, one in state.snapshot.entries.items()}
    found = review(
        sign(1, TEAM), state=replace(state, snapshot=replace(state.snapshot, entries=entries))
    )
    assert all(Mark.NEW in row.marks for row in found.rows if row.rule == TEAM)
    assert "not known" in Page(render_page(found)).text


def test_the_digest_covers_what_is_shown_and_not_when_or_whether_it_was_signed() -> None:
    assert review().digest == review(sign(3, TEAM, OWN)).digest
    assert review().digest != review(state=build_state(["ana"])).digest
    assert review().digest != review(state=build_state(text=f"# a line\n{TEXT}")).digest
    assert review().digest != review().select(DATA).digest


def test_rules_that_nobody_has_reviewed_lately_are_named_those_never_reviewed_first() -> None:
    found = review(sign(100, OWN), sign(5, IDLE)).list_unreviewed(90)
    assert [one.id for one in found] == [TEAM, OWN]


def test_rules_can_be_selected_by_name() -> None:
    chosen = review().select_rules([OWN])
    assert (chosen.about, {row.rule for row in chosen.rows}) == (OWN, {OWN})
    with pytest.raises(KeyError):
        review().select_rules(["policy/lab.yaml#none"])


def test_what_has_ended_since_the_last_review_is_shown_with_its_horizon() -> None:
    events = [make_end(400), make_end(30), make_end(2), replace(make_end(1), kind=EventKind.MADE)]
    found = build_review(build_state(), "grantor", [sign(9, TEAM)], events)
    assert [event.at for event in found.taken] == [events[2].at, events[1].at]
    text = Page(render_page(found)).text
    assert text.count("credentials may live until 2026-12-01 19:00 UTC") == 1
    assert found.select(NO_OWNER).taken == ()
    unknown = build_review(build_state(), "grantor", [], [make_end(3, "policy/x.yaml#gone")])
    assert len(unknown.taken) == 1


def test_a_long_list_of_ends_is_cut_and_says_so() -> None:
    events = [make_end(30 + number) for number in range(MAX_TAKEN + 2)]
    text = Page(render_page(build_review(build_state(), "grantor", [], events))).text
    assert "And 2 more: grantor changes lists them." in text


def test_there_is_a_page_for_all_and_one_for_each_owner() -> None:
    pages = dict(render_pages(review()))
    assert list(pages) == ["index.html", name_page(DATA), name_page(NO_OWNER)]
    links = {given.get("href") for tag, given in Page(pages["index.html"]).tags if tag == "a"}
    assert links == {name_page(DATA), name_page(NO_OWNER)}


def test_a_page_ends_with_the_command_that_signs_it() -> None:
    found = review().select(DATA)
    command = build_command(found)
    assert command == (
        f"grantor review sign --stack grantor --owner {DATA} --seen {found.digest} --because 'WHY'"
    )
    assert command in Page(render_page(found)).text
    assert "--owner" not in build_command(review())


def test_who_has_reviewed_a_rule_and_when_it_ends_is_said() -> None:
    text = Page(render_page(review(sign(9, TEAM)))).text
    assert "reviewed 2026-11-22 by eve: all checked" in text
    assert "never reviewed" in text
    assert "ends at 2027-03-02 00:00 UTC unless somebody reviews it" in text


def test_without_reviews_nothing_is_said_of_them() -> None:
    text = Page(render_page(build_review(build_state(), "grantor", None))).text
    assert "never reviewed" not in text
    assert "unless somebody reviews" not in text
    assert "since the last review" not in text


def test_nothing_of_a_policy_or_a_name_becomes_html() -> None:
    grant = Grant(iam_grantee(f"{ROLE}{NASTY}"), Permission.READ, f"s3://data/{NASTY}/*")
    state = build_state()
    actual = {**state.snapshot.actual, grant: "id-n"}
    found = review(state=replace(state, snapshot=replace(state.snapshot, actual=actual)))
    page = render_page(replace(found, stack=NASTY))
    tags = Page(page).tags
    assert "<img" not in page
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [name for _, given in tags for name in given if name.startswith("on")]
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_a_page_loads_nothing_and_allows_only_its_own_style_and_script() -> None:
    page = render_page(review())
    given = [attributes for _, attributes in Page(page).tags]
    assert not [one for one in given if "src" in one or "style" in one]
    (policy,) = (one["content"] for one in given if "http-equiv" in one)
    assert policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in STYLE + SCRIPT


def test_many_people_are_folded_and_many_places_are_counted() -> None:
    names = [f"p{number:03}" for number in range(150)]
    rules = "".join(
        f"  - name: r{number}\n    to: {{profiles: {{domain: Lab}}}}\n"
        f"    on: s3://data/r{number}/*\n    allow: WRITE\n"
        for number in range(12)
    )
    page = Page(render_page(review(state=build_state(names, TEXT + rules))))
    folded = [given for tag, given in page.tags if tag == "details" and "data-rule" not in given]
    assert ["open" in given for given in folded] == [True, False]
    assert "Other places" in page.text


def test_an_empty_stack_and_a_single_person_have_a_page() -> None:
    state = build_state([])
    empty = replace(state, snapshot=replace(state.snapshot, actual={}, entries={}))
    assert "Nobody holds a grant." in Page(render_page(review(state=empty))).text
    no_rules = replace(empty, evidence=AccessEvidence((), empty.evidence.inventory))
    assert "Owners" not in Page(render_page(review(state=no_rules))).text
    assert "1 person holds" in Page(render_page(review(state=build_state([])))).text


def test_read_and_write_by_two_grants_are_shown_together() -> None:
    state = build_state(["ana"])
    both = {
        Grant(iam_grantee(f"{ROLE}ana"), one, "s3://data/x/*"): f"id-{one}"
        for one in (Permission.READ, Permission.WRITE)
    }
    snapshot = replace(state.snapshot, actual={**state.snapshot.actual, **both})
    assert "read, write" in Page(render_page(review(state=replace(state, snapshot=snapshot)))).text
