"""Who holds the grants of a rule: IAM principals by ARN, people and groups of the directory by name or id, profiles by their role."""

from collections.abc import Mapping

from grantor.core.expansion.filling import fill
from grantor.core.expansion.refusal import Refused, Unread
from grantor.core.facts import Facts, Profile
from grantor.core.grant import Grantee
from grantor.core.policy.forms import ROLE, USER
from grantor.core.policy.reading.arn import ID
from grantor.core.problem import Fault, nearest, shown
from grantor.core.whom import Directory, Principal


def is_id(who: str) -> bool:
    """Whether a person or group is given by id, so that no name has to be looked up."""
    return bool(ID.fullmatch(who))


def principal(to: Principal, values: Mapping[str, str]) -> Grantee:
    """The role or user. Raises Refused where a folder's name makes no ARN."""
    arn = fill(to.arn, values)
    if "{" not in arn and (ROLE.fits(arn) or USER.fits(arn)):
        return Grantee("IAM", arn)
    why = "names of roles and users have only letters, digits and + = , . @ _ -"
    raise Refused(
        Fault(f"{shown(arn)} is no ARN of a role or user", why, "name the folder as the role, or write a rule for it alone")
    )


def execution_role(profile: Profile) -> Grantee:
    """The role that the profile's notebooks run as. Raises Refused where it has none."""
    if profile.role:
        return Grantee("IAM", profile.role)
    what = f"profile {profile.name} has no execution role, and neither has its domain"
    raise Refused(Fault(what, "a grant is held by a role", "give the profile an execution role"))


def check_domain(domain: str, facts: Facts) -> None:
    """Raises Refused where there is no such domain, Unread where its profiles are not known."""
    if why := facts.unread.get(f"domain {domain}"):
        raise Unread(f"the profiles of Studio domain {domain} could not be read: {why}")
    if domain not in facts.domains:
        near = nearest(domain, sorted(facts.domains))
        remedy = f"did you mean {near}?" if near else "write its name as the list of domains shows it"
        what, why = f"there is no Studio domain {shown(domain)}", "that may be a slip, so nothing is done for it"
        raise Refused(Fault(what, why, remedy))


def member(to: Directory, values: Mapping[str, str], facts: Facts) -> Grantee:
    """The person or group. Raises Refused where the directory has none of that name, Unread where it could not be asked."""
    who = fill(to.who, values)
    if is_id(who):
        return Grantee(to.kind, who)
    if why := facts.unread.get(f"directory {to.kind} {who}"):
        raise Unread(f"the directory could not be asked for {shown(who)}: {why}")
    if found := facts.directory.get((to.kind, who)):
        return Grantee(to.kind, found)
    called = to.kind.removeprefix("DIRECTORY_").lower()
    near = nearest(who, sorted(name for kind, name in facts.directory if kind == to.kind))
    remedy = f"did you mean {near}?" if near else f"write the name as the directory has it, or the {called}'s id"
    raise Refused(
        Fault(f"the directory has no {called} {shown(who)}", "a grant is held by an id, which is found by the name", remedy)
    )
