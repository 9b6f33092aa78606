"""Parse the tests of a file: what exists for them (`given`), and each question with its answer."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from grantor.core import scope
from grantor.core.diagnostics import Fault, TextCheck, find_nearest, quote_text
from grantor.core.expectations import Expectation, Given, GivenProfile, PolicyTests, Question
from grantor.core.grant import PERMISSIONS, Permission, split_uri
from grantor.core.policy.durations import parse_moment
from grantor.core.policy.grantee_types import (
    find_application_faults,
    find_directory_group_faults,
    find_directory_user_faults,
    find_role_faults,
    find_user_faults,
)
from grantor.core.policy.test_language import (
    CAN_QUESTION,
    GIVEN_FOLDER,
    PRINCIPAL,
    SCOPE_ANSWER,
    WHO_QUESTION,
)
from grantor.core.policy.text_forms import TAG_VALUE
from grantor.core.policy.value_types import Form
from grantor.core.policy.variables import TextContext
from grantor.core.policy.yaml_tree import Fields, Text, Tree
from grantor.settings import MAX_GIVEN_NAMES, MAX_TEST_QUESTIONS, MAX_TEST_STEPS

READ = Permission.READ
LISTED = (Question.WHO, Question.REACH)  # whose answer is a list
NOTHING = Fields({}, {}, 1, 1)
PROFILE_WORDS = re.compile(r"[A-Za-z0-9-]+(?:/[A-Za-z0-9-]+)?")


@dataclass(frozen=True)
class ParsedQuestion:
    """The parts of a question or of an answer."""

    who: str
    permission: Permission | None
    place: str


def parse_tests(
    top: Fields, context: TextContext, rules: Collection[str] | None = None, combinations: int = 0
) -> PolicyTests:
    """The tests of a file; what is wrong with them is reported.

    `rules` are the names of the file's own rules, and `combinations` how many they are for each
    grantee at each place. A file of tests alone has none: it speaks of the rules of others, and no
    run reads it.
    """
    given = top.fields("given")
    listed = [item for item in top.items("tests") if isinstance(item, Fields)]
    found = PolicyTests(
        context.reader.file,
        tuple(one for item in listed for one in _parse_test(item, context, rules)),
        parse_given(given, context) if given else None,
    )
    if rules is not None and listed and (fault := _explain_excess(found, combinations)):
        context.reader.add(listed[0], *fault)
    return found


def _explain_excess(tests: PolicyTests, combinations: int) -> Fault | None:
    """Why a run would take too long for these tests, if it would."""
    given = tests.given or Given()
    named = sum(map(len, (given.profiles, given.users, given.groups, given.folders)))
    counts = (
        (len(tests.expectations), MAX_TEST_QUESTIONS, "questions"),
        (named, MAX_GIVEN_NAMES, "names in given"),
        (tests.count_steps(combinations), MAX_TEST_STEPS, "steps: rules by names by times"),
    )
    for count, most, noun in counts:
        if count > most:
            what = f"the tests have {count:,} {noun}"
            why = f"a run asks the tests of a file that has changed, and takes up to {most:,}"
            return Fault(what, why, "move some of them to a test file, NAME.test.yaml")
    return None


def parse_given(given: Fields, context: TextContext) -> Given:
    """What exists for the tests."""
    check = partial(_check_texts, context=context)
    return Given(
        tuple(
            _parse_profile(name, fields, context)
            for name, fields in (given.fields("profiles") or NOTHING).values.items()
            if isinstance(fields, Fields)
        ),
        tuple(
            (name, tuple(check(fields.items("groups"), find_directory_group_faults)))
            for name, fields in (given.fields("users") or NOTHING).values.items()
            if isinstance(fields, Fields)
        ),
        tuple(check(given.items("groups"), find_directory_group_faults)),
        tuple(check(given.items("folders"), find_folder_faults)),
    )


def _parse_profile(subject: str, fields: Fields, context: TextContext) -> GivenProfile:
    domain, _, name = subject.partition("/")
    role, tags = fields.text("role"), (fields.fields("tags") or NOTHING).values
    check = partial(_find_form_faults, TAG_VALUE)
    return GivenProfile(
        domain,
        name,
        _check_text(role, find_role_faults, context),
        tuple(sorted((key, _check_text(tag, check, context)) for key, tag in tags.items())),
        _parse_moment(fields, "created", context),
    )


def _parse_test(
    test: Fields, context: TextContext, rules: Collection[str] | None
) -> Iterator[Expectation]:
    """The questions of a test, each an expectation of its own."""
    asked = next((key for key in Question if key in test.values), None)
    if asked is None:
        return
    if asked in LISTED and "exactly" not in test.keys:
        example = "Product-Domain/userA" if asked is Question.WHO else SCOPE_ANSWER.flow_example
        why = "a list is compared as a whole, so that nobody and nothing is there besides"
        remedy = f"write for example exactly: [{example}], or exactly: [] for none"
        context.reader.add(test.keys[asked], f"{asked} without exactly", why, remedy)
    common = Expectation(
        context.reader.file,
        asked,
        exactly=tuple(_parse_answers(asked, test, context)),
        because=tuple(_parse_rules(test, context, rules)),
        at=_parse_moment(test, "at", context),
        application=_check_text(test.text("application"), find_application_faults, context),
        name=test.value_of("name"),
    )
    for text in test.listed(asked):
        if filled := _check_text(text, QUESTION_CHECKS[asked], context):
            parts = split_question(asked, filled)
            yield replace(common, **vars(parts), line=text.line, column=text.column)


def split_question(asked: Question, text: str) -> ParsedQuestion:
    """The parts of a question whose form is right.

    >>> split_question(Question.CAN, "D/ana READ s3://b")
    ParsedQuestion(who='D/ana', permission=<Permission.READ: 'READ'>, place='s3://b/*')
    >>> split_question(Question.WHO, "s3://b/a.csv").permission is None
    True
    """
    if asked is Question.REACH:
        return ParsedQuestion(text, None, "")
    head, found, rest = text.partition("s3://")
    who, _, word = head.rstrip().rpartition(" ")
    place = scope.normalize_scope(found + rest)
    return ParsedQuestion(who.rstrip(), Permission(word) if word else None, place)


def _parse_answers(asked: Question, test: Fields, context: TextContext) -> Iterator[str]:
    listed = test.items("exactly")
    if asked is Question.WHO:
        yield from _check_texts(listed, find_principal_faults, context)
    elif asked is Question.REACH:
        for text in _check_texts(listed, partial(_find_question_faults, SCOPE_ANSWER), context):
            parts = split_question(Question.WHO, text)
            yield f"{parts.permission} {parts.place}"


def _parse_rules(
    test: Fields, context: TextContext, rules: Collection[str] | None
) -> Iterator[str]:
    for one in (one for one in test.listed("because") if isinstance(one, Text)):
        if rules is not None and one.value not in rules:
            context.reader.add(one, *explain_unknown_rule(one.value, rules, "this file"))
        yield one.value


def explain_unknown_rule(name: str, rules: Collection[str], where: str) -> Fault:
    """Say that a test names a rule that does not exist, and which one it may mean."""
    near = find_nearest(name, rules)
    remedy = f"did you mean {near}?" if near else "write the name of a rule as it stands there"
    why = f"a test can only name a rule of {where}"
    return Fault(f"there is no rule {quote_text(name)}", why, remedy)


def _parse_moment(part: Fields, key: str, context: TextContext) -> datetime | None:
    given = part.text(key)
    found = parse_moment(given.value, key) if given else None
    if isinstance(found, Fault):
        assert given
        context.reader.add(given, *found)
        return None
    return found


def _check_texts(
    given: Iterable[Tree], find_faults: TextCheck, context: TextContext
) -> Iterator[str]:
    return filter(None, (_check_text(one, find_faults, context) for one in given))


def _check_text(given: Tree | None, find_faults: TextCheck, context: TextContext) -> str:
    """The text with its variables filled in; "" if it is none or wrong, which is then reported."""
    found = context.check_text(given, find_faults) if isinstance(given, Text) else None
    return context.fill_bucket(found) if found else ""


def _find_form_faults(form: Form, text: str) -> Iterable[Fault]:
    return () if form.fits(text) else (form.describe_misfit(text),)


def _find_question_faults(form: Form, text: str) -> Iterable[Fault]:
    """What is wrong with WHO PERMISSION S3URL, with PERMISSION S3URL or with S3URL alone: the form
    says which of these it is.
    """
    head, found, rest = text.partition("s3://")
    who, _, word = head.rstrip().rpartition(" ")
    if not form.fits(f"{who} {READ} {found}{rest}".lstrip() if word else text):
        yield form.describe_misfit(text)
        return
    if word not in (*PERMISSIONS, ""):
        letters = "".join(filter(str.isalpha, word.casefold())) or word
        near = [str(one) for one, each in PERMISSIONS.items() if letters in each.slips]
        meant = near or [find_nearest(word, PERMISSIONS) or "READ, WRITE or READWRITE"]
        what = f"{quote_text(word)} is not a permission"
        yield Fault(what, form.description, f"write {meant[0]}")
    if who:
        yield from find_principal_faults(who.rstrip())
    yield from find_place_faults(found + rest)


def find_place_faults(place: str) -> Iterable[Fault]:
    """What is wrong with a place that is asked about: an object, a prefix with a * at its end, or
    a bucket.
    """
    if "*" in place[:-1]:
        why = "a * stands at the end, for all keys that begin alike"
        return [Fault(f"{quote_text(place)} contains a *", why, "ask about each place by its name")]
    if place.endswith("*") or not split_uri(place)[1]:
        return scope.find_scope_faults(place, raw_prefix=True)
    if place.endswith("/"):
        why = "it means the single object of exactly that name"
        return [Fault(f"{quote_text(place)} ends with a slash", why, f"write {place}*")]
    return scope.find_object_faults(place)


def find_folder_faults(text: str) -> Iterable[Fault]:
    """What is wrong with a folder that exists for the tests."""
    if not text.endswith("/") or "*" in text:
        return [GIVEN_FOLDER.describe_misfit(text)]
    return scope.find_folder_faults(text)


def find_principal_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the name of a principal."""
    if text.startswith("arn:"):
        find_faults = find_user_faults if ":user/" in text else find_role_faults
        faults: Iterable[Fault] = find_faults(text)
    elif text.startswith("directory_user:"):
        faults = find_directory_user_faults(text.removeprefix("directory_user:"))
    elif text.startswith("directory_group:"):
        faults = find_directory_group_faults(text.removeprefix("directory_group:"))
    else:
        fits = PROFILE_WORDS.fullmatch(text)
        return () if fits else [PRINCIPAL.describe_misfit(text)]
    return [fault._replace(remedy=_spell_principal(fault.remedy)) for fault in faults]


def _spell_principal(remedy: str) -> str:
    """The remedy with a principal as a test writes it: without the key that a rule needs."""
    plain = remedy.replace("role: ", "").replace("user: arn:", "arn:")
    return plain.replace("directory_user: ", "directory_user:").replace(
        "directory_group: ", "directory_group:"
    )


QUESTION_CHECKS: dict[Question, Callable[[str], Iterable[Fault]]] = {
    Question.CAN: partial(_find_question_faults, CAN_QUESTION),
    Question.CANNOT: partial(_find_question_faults, CAN_QUESTION),
    Question.WHO: partial(_find_question_faults, WHO_QUESTION),
    Question.REACH: find_principal_faults,
}
