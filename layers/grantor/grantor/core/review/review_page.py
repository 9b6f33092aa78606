"""A review as a page of HTML that needs nothing else: no network, no other file, and no script.

Every text that comes from a policy file, a profile or a bucket is shown by `show`: with its
invisible characters as escapes, and with nothing that HTML could understand.
"""

import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import batched

from grantor.core.access.grant_history import GrantEvent
from grantor.core.access.history_text import describe_event
from grantor.core.diagnostics import show_text
from grantor.core.grant import Permission, format_end
from grantor.core.planning.rendering import describe_holder, format_timestamp
from grantor.core.review.access_review import (
    EVERYTHING,
    NO_OWNER,
    AccessReview,
    Mark,
    ReviewedRule,
    ReviewRow,
)
from grantor.core.review.page_parts import CONTENT_POLICY, SCRIPT, STYLE
from grantor.settings import REVIEW_LIST_DAYS

MAX_COLUMNS = 8  # places of the matrix; what is elsewhere is one more column
FOLDED_PEOPLE = 100  # in one part of the matrix
MAX_TAKEN = 500  # ends of grants that a page lists
WORDS = {"READ": ("read", "r"), "WRITE": ("write", "w"), "READWRITE": ("read, write", "w")}
INDEX = "index.html"
UNMANAGED = "Grants that no rule gives"
ADVICE = (
    "Whoever signs it confirms exactly this. Credentials that were vended before a grant ended can "
    "live up to 12 hours longer."
)


def show(text: str) -> str:
    r"""A text for HTML, also within an attribute in quotes.

    >>> print(show('<b>"Ana"\u202e'))
    &lt;b&gt;&quot;Ana&quot;\u202e
    """
    return escape(show_text(text))


def name_page(owner: str) -> str:
    """The name of an owner's page, which is none that another owner has.

    >>> name_page("data@example.com"), name_page("-"), name_page("everything")
    ('data-example.com-6729d569.html', 'no-owner.html', 'index.html')
    """
    if owner == EVERYTHING:
        return INDEX
    if owner == NO_OWNER:
        return "no-owner.html"
    plain = re.sub("[^a-z0-9.]+", "-", owner.lower()).strip("-.")[:60]
    digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}.html"


def render_pages(review: AccessReview) -> Iterator[tuple[str, str]]:
    """The page of all rules, and one for each owner; each with its name."""
    yield INDEX, render_page(review)
    for owner in review.owners:
        yield name_page(owner), render_page(review.select(owner))


def render_page(review: AccessReview) -> str:
    """One page."""
    title = show(_name_page(review))
    parts = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(CONTENT_POLICY)}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title} · access review of {show(review.stack)}</title>",
        f"<style>{STYLE}</style></head><body>",
        *_render_head(review),
        "<main>",
        *_render_search(),
        *_render_owners(review),
        *_render_matrix(review),
        *_render_rules(review),
        *_render_taken(review),
        *_render_signing(review),
        "</main>",
        f"<footer><p>What is shown here has the digest <code>{review.digest}</code>. {ADVICE}",
        "</p></footer>",
        f"<script>{SCRIPT}</script></body></html>\n",
    )
    return "".join(parts)


def build_command(review: AccessReview) -> str:
    """The command that signs what the page shows."""
    owner = f" --owner {shlex.quote(review.about)}" if review.about != EVERYTHING else ""
    stack = shlex.quote(review.stack)
    return f"grantor review sign --stack {stack}{owner} --seen {review.digest} --because 'WHY'"


def _name_page(review: AccessReview) -> str:
    names = {EVERYTHING: "Who reaches what", NO_OWNER: "Access that nobody owns"}
    return names.get(review.about) or f"Access that {review.about} owns"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _render_head(review: AccessReview) -> Iterator[str]:
    people, grants = len(review.people), len({row.grant for row in review.rows})
    account = f" in account {show(review.home.account)}" if review.home.account else ""
    yield f'<header><p class="stack">Access review of {show(review.stack)}{account}</p>'
    yield f"<h1>{show(_name_page(review))}</h1>"
    yield (
        f'<p class="soft">{people:,} {"person holds" if people == 1 else "people hold"} '
        f"{_count(grants, 'grant')} by {_count(len(review.rules), 'rule')}, "
        f"as of {_render_time(review.now)}.</p>"
    )
    if review.about != EVERYTHING:
        yield f'<p><a href="{INDEX}">All owners</a></p>'
    yield from _render_counts(review)
    yield "</header>"


def _render_counts(review: AccessReview) -> Iterator[str]:
    marked = Counter(mark for row in review.rows for mark in row.marks)
    counts = [
        ("without an owner", marked[Mark.NO_OWNER]),
        ("without an end", marked[Mark.NO_END]),
        ("unmanaged", marked[Mark.UNMANAGED]),
        ("on hold", marked[Mark.ON_HOLD]),
    ]
    if review.knows_reviews:  # what nobody could read is not called none
        unreviewed = len(review.list_unreviewed(REVIEW_LIST_DAYS))
        live = sum(map(bool, map(review.find_horizon, review.taken)))
        counts += [
            ("new since the last review", marked[Mark.NEW]),
            (f"rules not reviewed for {REVIEW_LIST_DAYS} days", unreviewed),
            ("ended since the last review", len(review.taken)),
            ("ended, credentials may live", live),
        ]
    yield '<dl class="counts">'
    for what, count in counts:
        look = ' class="look"' if count else ""
        yield f"<div{look}><dt>{what}</dt><dd>{count:,}</dd></div>"
    yield "</dl>"


def _render_search() -> Iterator[str]:
    yield '<search hidden><label for="find">Find</label>'
    yield '<input id="find" type="search" autocomplete="off" spellcheck="false">'
    yield '<button type="button" data-fold="open">Unfold all</button>'
    yield '<button type="button" data-fold="close">Fold all</button>'
    yield '<span id="found" class="soft" role="status"></span></search>'


def _render_owners(review: AccessReview) -> Iterator[str]:
    if review.about != EVERYTHING or not review.owners:
        return
    counts = Counter(one.owner for one in review.rules.values())
    yield '<section aria-labelledby="owners"><h2 id="owners">Owners</h2><ul class="owners">'
    for owner in review.owners:
        name = "nobody" if owner == NO_OWNER else show(owner)
        rules = _count(counts[owner], "rule")
        yield f'<li><a href="{name_page(owner)}">{name}</a> <span class="soft">{rules}</span></li>'
    yield "</ul></section>"


def _render_matrix(review: AccessReview) -> Iterator[str]:
    yield '<section aria-labelledby="people"><h2 id="people">People and places</h2>'
    people = list(review.people.items())
    if not people:
        yield '<p class="soft">Nobody holds a grant.</p>'
    holders = Counter(place for _, rows in people for place in {row.place for row in rows})
    common = sorted(holders.most_common(MAX_COLUMNS))
    places = [place for place, _ in common]
    is_more = len(holders) > len(places)
    for number, part in enumerate(batched(people, FOLDED_PEOPLE)):
        title = f"{show(part[0][0])} to {show(part[-1][0])}"
        is_open = " open" if number == 0 else ""
        if len(people) > 1:
            yield f"<details{is_open}><summary><b>{title}</b> "
            yield f'<span class="soft">{len(part):,} people</span></summary>'
        label = f'aria-label="People and places, {title}"'
        yield f'<div class="scroll" tabindex="0" role="region" {label}><table class="matrix">'
        yield from _render_places(places, is_more=is_more)
        for person, rows in part:
            yield from _render_person(person, rows, places, is_more=is_more)
        yield "</tbody></table></div>"
        yield "</details>" if len(people) > 1 else ""
    yield "</section>"


def _render_places(places: Iterable[str], *, is_more: bool) -> Iterator[str]:
    yield '<thead><tr><th scope="col">Who</th>'
    yield from (f'<th scope="col">{_break_place(place)}</th>' for place in places)
    yield '<th scope="col">Other places</th>' if is_more else ""
    yield '<th scope="col">To look at</th></tr></thead><tbody>'


def _break_place(place: str) -> str:
    """A place that may be broken after each slash."""
    return show(place.removeprefix("s3://")).replace("/", "/<wbr>")


def _render_person(
    person: str, rows: Sequence[ReviewRow], places: Iterable[str], *, is_more: bool
) -> Iterator[str]:
    held: dict[str, set[Permission]] = {}
    for row in rows:
        held.setdefault(row.place, set()).add(row.grant.permission)
    yield f'<tr data-row="person"><th scope="row"><bdi>{show(person)}</bdi></th>'
    for place in places:
        yield f"<td>{_render_permissions(held.pop(place, set()))}</td>"
    if is_more:
        yield f"<td>{_count(len(held), 'place') if held else ''}</td>"
    yield f"<td>{_render_marks(sorted({mark for row in rows for mark in row.marks}))}</td></tr>"


def _render_permissions(held: set[Permission]) -> str:
    names = {str(one) for permission in held for one in permission.included}
    if {"READ", "WRITE"} <= names:
        names = {"READWRITE"}
    shown = (WORDS[name] for name in sorted(names) if name in WORDS)
    return " ".join(f'<span class="{kind}">{word}</span>' for word, kind in shown)


def _render_marks(marks: Iterable[Mark]) -> str:
    return " ".join(f'<span class="mark">{mark}</span>' for mark in marks)


def _render_rules(review: AccessReview) -> Iterator[str]:
    yield '<section aria-labelledby="rules"><h2 id="rules">Rules, and what they give</h2>'
    given: dict[str, list[ReviewRow]] = {name: [] for name in review.rules}
    for row in review.rows:
        given.setdefault(row.rule, []).append(row)
    if rows := given.pop("", []):
        yield f'<details data-rule><summary><b>{UNMANAGED}</b> <span class="soft">'
        yield f"{_count(len(rows), 'grant')}</span> {_render_marks([Mark.UNMANAGED])}</summary>"
        yield from _render_rows(UNMANAGED, rows, review)
        yield "</details>"
    for name, rows in given.items():
        yield from _render_rule(review.rules[name], rows, review)
    yield "</section>"


def _render_rule(
    rule: ReviewedRule, rows: Sequence[ReviewRow], review: AccessReview
) -> Iterator[str]:
    file, _, name = rule.id.partition("#")
    line = f":{rule.source.line}" if rule.source.line else ""
    counted = _count(len(rows), "grant")
    yield f"<details data-rule><summary><b>{show(name)}</b> "
    yield f'<span class="mono">{show(file)}{line}</span> <span class="soft">{counted}'
    yield f" · {'no owner' if rule.owner == NO_OWNER else show(rule.owner)}"
    if review.knows_reviews:
        yield f" · {_describe_signed(rule)}"
    yield "</span></summary>"
    said = [f"version {show(rule.source.version)}"] if rule.source.version else []
    if rule.rule is None:
        said.append("the rule is gone")
    elif rule.rule.description:
        said.append(show(rule.rule.description))
    if rule.end:
        said.append(f"ends at {_render_time(rule.end)} unless somebody reviews it")
    yield f'<p class="soft">{"; ".join(said)}</p>' if said else ""
    yield from _render_rows(rule.id, rows, review)
    yield "</details>"


def _describe_signed(rule: ReviewedRule) -> str:
    if rule.signed is None:
        return "never reviewed"
    who = show(rule.signed.by.rpartition("/")[2])
    return f"reviewed {rule.signed.at:%Y-%m-%d} by {who}: {show(rule.signed.because)}"


def _render_rows(name: str, rows: Sequence[ReviewRow], review: AccessReview) -> Iterator[str]:
    if not rows:
        yield '<p class="soft">It gives nobody anything now.</p>'
        return
    label = f'aria-label="Grants of {show(name)}"'
    yield f'<div class="scroll" tabindex="0" role="region" {label}><table><thead><tr>'
    for head in ("Who", "What", "Where", "Held as", "Since", "Until", "To look at"):
        yield f'<th scope="col">{head}</th>'
    yield "</tr></thead><tbody>"
    for row in rows:
        until = format_end(row.until).removeprefix("until ")
        yield f'<tr data-row="grant"><th scope="row"><bdi>{show(row.person)}</bdi></th>'
        yield f"<td>{_render_permissions({row.grant.permission})}</td>"
        yield f'<td class="mono">{_break_place(row.grant.scope)}</td>'
        yield f'<td class="mono">{show(describe_holder(row.grant, review.home))}</td>'
        yield f'<td class="date">{show(row.since[:10]) or "not known"}</td>'
        yield f'<td class="date">{until}</td><td>{_render_marks(row.marks)}</td></tr>'
    yield "</tbody></table></div>"


def _render_taken(review: AccessReview) -> Iterator[str]:
    if not review.taken:
        return
    yield '<section aria-labelledby="ended"><h2 id="ended">Ended since the last review</h2><ul>'
    for event in review.taken[:MAX_TAKEN]:
        yield f"<li>{_describe_end(event, review)}</li>"
    yield "</ul>"
    if (left := len(review.taken) - MAX_TAKEN) > 0:
        yield f"<p>And {left:,} more: grantor changes lists them.</p>"
    yield "</section>"


def _describe_end(event: GrantEvent, review: AccessReview) -> str:
    until = review.find_horizon(event)
    said = f'<span class="mono">{show(describe_event(event, review.home, {}))}</span>'
    if until is None:
        return said
    return f'{said} <span class="mark">credentials may live until {_render_time(until)}</span>'


def _render_signing(review: AccessReview) -> Iterator[str]:
    yield '<section aria-labelledby="sign"><h2 id="sign">Sign this review</h2>'
    yield "<p>Run this command with your own credentials and with what you have checked in place "
    yield "of WHY. It refuses if anything that this page shows has changed since.</p>"
    yield f'<pre tabindex="0" id="command">{show(build_command(review))}</pre>'
    yield '<button type="button" id="copy" hidden>Copy the command</button></section>'


def _render_time(time: datetime) -> str:
    return f'<time datetime="{format_timestamp(time)}">{time:%Y-%m-%d %H:%M} UTC</time>'
