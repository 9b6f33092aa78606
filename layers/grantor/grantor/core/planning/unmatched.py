"""Warnings about what a rule names and nobody has: roles, domains, profiles, tags and
folders.
"""

from collections.abc import Iterable

from grantor.core.diagnostics import Fault, find_nearest, quote_text
from grantor.core.grant import Grantee


def explain_missing(grantee: Grantee) -> Fault:
    """A role or user of this account that does not exist."""
    noun = grantee.identifier.split(":")[5].partition("/")[0]
    what = f"there is no {noun} {grantee}"
    why = "S3 Access Grants takes no grant for it, so runs try again until there is one"
    return Fault(what, why, f"create the {noun}, or correct or remove its name")


def explain_no_association(grantee: Grantee) -> Fault:
    """A user or group of the directory, while the instance knows no directory."""
    what = f"the S3 Access Grants instance is not associated with IAM Identity Center ({grantee})"
    why = "it makes no grant for users and groups of a directory, and those there are serve nobody"
    remedy = "associate it: aws s3control associate-access-grants-identity-center"
    return Fault(what, why, remedy)


def explain_no_folders(base: str, known: Iterable[str]) -> Fault:
    """A prefix without any folder; `known` are folders of its bucket."""
    parent, _, name = base.rstrip("/").rpartition("/")
    pairs = (one.rstrip("/").rpartition("/") for one in known if one != base)
    near = find_nearest(name, sorted({other for above, _, other in pairs if above == parent}))
    remedy = "correct it, or keep it for future folders"
    if near:
        remedy = f"did you mean {parent}/{near}/?"
    why = "it may be a typing mistake, or nobody may have written there yet"
    return Fault(f"there are no folders in {base}", why, remedy)


def explain_unknown_domains(glob: str) -> Fault:
    """A glob that matches no Studio domain."""
    what = f"no Studio domain matches {quote_text(glob)}"
    why = "it may be a typing mistake, or the domain may not exist yet"
    return Fault(what, why, "correct it, or keep it for a future domain")


def explain_unknown_name(name: str, where: str) -> Fault:
    """A name or glob that no profile of these domains has."""
    what = f"no profile of {where} matches {quote_text(name)}"
    why = "it may be a typing mistake, or the profile may not exist yet"
    return Fault(what, why, "correct the name, or keep it for a future profile")


def explain_unknown_tag(
    where: str, tag: tuple[str, str], known: Iterable[tuple[str, str]]
) -> Fault:
    """A tag that no profile of these domains carries; `known` are those that some carry."""
    key, value = tag
    values = sorted(other for name, other in known if name == key)
    near = find_nearest(value, values)
    remedy = "correct the tag, or keep it for a future profile"
    if near:
        remedy = f"did you mean {quote_text(near)}?"
    elif not values and (name := find_nearest(key, sorted({name for name, _ in known}))):
        remedy = f"did you mean the tag {quote_text(name)}?"
    what = f"no profile of {where} has the tag {quote_text(key)} with {quote_text(value)}"
    why = "it may be a typing mistake, or no profile may have it yet"
    return Fault(what, why, remedy)
