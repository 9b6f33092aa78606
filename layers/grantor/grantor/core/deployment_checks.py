"""The checks of `grantor doctor` before a deployment: facts about an account → findings.

A fact that could not be read is an Unread, and its check says so. Nothing is read here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from grantor.core.findings import (
    Fact,
    Finding,
    Severity,
    Unread,
    judge,
    report_ok,
    report_problem,
    report_skipped,
    report_unread,
)
from grantor.limits import (
    LISTED_IMAGE_REGIONS,
    MAX_FUNCTION_NAME_CHARACTERS,
    MAX_TRAILS_PER_REGION,
    REGIONS_OF_ACCESS_GRANTS,
    REGIONS_WITHOUT_STUDIO_TYPES,
    VPC_PREFIX_LENGTHS,
)
from grantor.settings import DOCTOR_JOB_INSTANCES, DOCTOR_LOW_CONCURRENCY

# The template's defaults of the parameters that are looked at; a test compares them.
DEFAULT_PARAMETERS = {
    "CreateStudio": "true",
    "DomainName": "Product-Domain",
    "RolePrefix": "grantor",
    "VpcCIDR": "10.0.0.0/16",
    "PrivateSubnetCIDR": "10.0.0.0/20,10.0.16.0/20",
    "PublicSubnetCIDR": "10.0.32.0/24",
    "AccessGrants": "create",
    "AccessGrantsLocation": "",
    "DataBuckets": "",
    **{f"DataBuckets{number}": "" for number in range(2, 9)},
    "Trail": "create",
    "DataAccess": "grants-only",
    "PolicyWrites": "stewards-only",
}
LONGEST_FUNCTION_SUFFIX = "-reconcile-grants"  # of the functions' names, after the stack's
OPEN_WORDS = ("sagemaker", "aws-glue")  # AmazonSageMakerFullAccess opens what is named so
ROLE_SUFFIXES = ("-usera-role", "-userb-role", "-nobody-role")


@dataclass(frozen=True)
class TrailFact:
    """A trail of this Region: whether it is at work, and whether it records writing calls."""

    name: str
    is_logging: bool
    logs_writes: bool


@dataclass(frozen=True)
class AccountFacts:
    """What concerns the account, whether or not a stack is there."""

    region: str
    configured_region: str  # of samconfig.toml; "" if it names none
    stack: str
    parameters: Mapping[str, str]  # over DEFAULT_PARAMETERS
    has_image: bool  # the SDK names an account for the Spark image
    trails: Fact[Sequence[TrailFact]]
    quotas: Fact[Mapping[str, float]]  # of processing instances, by type; those that jobs need
    concurrency: Fact[int]


@dataclass(frozen=True)
class VacancyFacts:
    """What is there before the first deployment."""

    status: str  # of a stack of this name that is not complete; "" if there is none
    instance: Fact[str]  # the ARN, or ""
    locations: Fact[Mapping[str, str]]  # scope by id
    domains: Fact[Sequence[str]]
    taken_roles: Fact[Sequence[str]]  # of the names that the stack gives


def check_account(facts: AccountFacts) -> Iterator[Finding]:
    """Check the Region and the quotas."""
    yield from _check_region(facts)
    yield from _check_quotas(facts)


def check_vacancy(facts: AccountFacts, found: VacancyFacts) -> Iterator[Finding]:
    """Check what the first deployment needs."""
    yield from _check_names(facts)
    yield from check_network(facts.parameters)
    if found.status:
        yield report_problem("stack-state", f"stack {facts.stack} is {found.status}")
    yield from _check_instance(facts.parameters, found)
    yield check_trails(facts.parameters["Trail"], facts.trails, deployed=False)
    yield from _check_taken(facts.parameters, found)


def _check_region(facts: AccountFacts) -> Iterator[Finding]:
    region = facts.region
    if facts.configured_region not in ("", region):
        what = f"this is {region}, and samconfig.toml says {facts.configured_region}"
        yield report_problem("region", what, Severity.WARNING)
    listed = region in REGIONS_OF_ACCESS_GRANTS
    yield judge("region-grants", f"S3 Access Grants in {region}", listed, Severity.WARNING)
    lacking = REGIONS_WITHOUT_STUDIO_TYPES.get(region, ())
    if facts.parameters["CreateStudio"] != "true":
        yield report_skipped("region-studio", "CreateStudio is false")
    elif lacking:
        yield report_problem("region-studio", f"{region} has no {' and no '.join(lacking)}")
    else:
        yield report_ok("region-studio", f"Studio's resource types in {region}")
    if facts.has_image and region not in LISTED_IMAGE_REGIONS:
        what = f"AWS's list does not name {region}"
        yield report_problem("spark-image-list", what, Severity.WARNING)
    else:
        yield judge("spark-image", f"AWS's Spark image in {region}", facts.has_image)


def _check_quotas(facts: AccountFacts) -> Iterator[Finding]:
    if isinstance(facts.quotas, Unread):
        yield report_unread("job-quota", "the quotas of processing jobs", facts.quotas)
    elif not facts.quotas:
        fact = Unread("servicequotas:ListServiceQuotas", "Service Quotas does not list it")
        yield report_unread("job-quota", "the quota of processing jobs", fact)
    else:
        for kind, value in sorted(facts.quotas.items()):
            what = f"{kind} for processing job usage is {value:g} in {facts.region}"
            severity = Severity.WARNING if value else Severity.FAILURE
            yield judge("job-quota", what, value >= DOCTOR_JOB_INSTANCES, severity)
    if isinstance(facts.concurrency, Unread):
        yield report_unread("concurrency", "the quota of Lambda", facts.concurrency)
    else:
        what = f"{facts.concurrency} concurrent executions of Lambda"
        enough = facts.concurrency >= DOCTOR_LOW_CONCURRENCY
        yield judge("concurrency", what, enough, Severity.WARNING)


def _check_names(facts: AccountFacts) -> Iterator[Finding]:
    longest = MAX_FUNCTION_NAME_CHARACTERS - len(LONGEST_FUNCTION_SUFFIX)
    if len(facts.stack) > longest:
        why = f"has {len(facts.stack)} characters, and the names of functions leave {longest}"
    else:
        why = next((f"contains {word}" for word in OPEN_WORDS if word in facts.stack.lower()), "")
    yield judge("stack-name", f"stack {facts.stack} {why}".strip(), not why)
    prefix = facts.parameters["RolePrefix"]
    plain = prefix.replace("-", "a").isalnum() and prefix.isascii() and prefix[:1].isalpha()
    is_open = "sagemaker" in prefix.lower()
    severity = Severity.WARNING if plain else Severity.FAILURE
    fits = plain and len(prefix) <= 40 and not is_open
    yield judge("role-prefix", f"RolePrefix {prefix}", fits, severity)


def check_network(parameters: Mapping[str, str]) -> Iterator[Finding]:
    """Check the addresses of the network as EC2 does.

    Source: VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks": /16 to /28, inside of each
    other, without an overlap, and no bit set behind the prefix.
    """
    if parameters["CreateStudio"] != "true":
        yield report_skipped("network", "CreateStudio is false")
        return
    vpc, private = parameters["VpcCIDR"], parameters["PrivateSubnetCIDR"].split(",")
    problem = _find_network_problem(vpc, [*private, parameters["PublicSubnetCIDR"]])
    yield judge("network", problem or f"{vpc} and its subnets", not problem)


def _find_network_problem(vpc: str, subnets: list[str]) -> str:
    if len(subnets) != 3:
        return f"PrivateSubnetCIDR has {len(subnets) - 1} blocks, and the template needs 2"
    blocks: list[IPv4Network] = []
    for text in (vpc, *subnets):
        try:
            blocks.append(IPv4Network(text.strip()))
        except ValueError as error:
            return str(error)
    first, last = VPC_PREFIX_LENGTHS
    for block in blocks:
        if not first <= block.prefixlen <= last:
            return f"{block} is not between /{first} and /{last}"
        if not block.subnet_of(blocks[0]):
            return f"{block} is not inside {vpc}"
    inner = blocks[1:]
    pairs = ((one, other) for n, one in enumerate(inner) for other in inner[n + 1 :])
    return next((f"{one} and {other} overlap" for one, other in pairs if one.overlaps(other)), "")


def _check_instance(parameters: Mapping[str, str], found: VacancyFacts) -> Iterator[Finding]:
    wanted, instance = parameters["AccessGrants"], found.instance
    if isinstance(instance, Unread):
        yield report_unread("instance", "the S3 Access Grants instance", instance)
        return
    state = f"there is {instance or 'no instance'}, and AccessGrants is {wanted}"
    yield judge("instance", state, bool(instance) == (wanted == "existing"))
    location = parameters["AccessGrantsLocation"]
    if not location:
        return
    if wanted == "create":
        yield report_problem("location", f"AccessGrants is create, and not {location}'s instance")
    elif isinstance(found.locations, Unread):
        yield report_unread("location", "the locations", found.locations)
    else:
        yield judge("location", f"location {location}", location in found.locations)


def check_trails(wanted: str, trails: Fact[Sequence[TrailFact]], deployed: bool) -> Finding:
    if isinstance(trails, Unread):
        return report_unread("trail", "the trails", trails)
    at_work = [one.name for one in trails if one.is_logging and one.logs_writes]
    what = f"write events are logged by {', '.join(at_work) or 'no trail'}"
    if deployed or wanted == "existing":
        return judge("trail", what, bool(at_work))
    if len(trails) >= MAX_TRAILS_PER_REGION:
        return report_problem("trail", f"there are {len(trails)} trails, and Trail is create")
    what = f"{what}, and Trail is create"
    return judge("trail", what, not at_work, Severity.WARNING)


def _check_taken(parameters: Mapping[str, str], found: VacancyFacts) -> Iterator[Finding]:
    if parameters["CreateStudio"] != "true":
        yield report_skipped("domain-name", "CreateStudio is false")
        return
    name = parameters["DomainName"]
    if isinstance(found.domains, Unread):
        yield report_unread("domain-name", "the domains", found.domains)
    else:
        yield judge("domain-name", f"domain {name}", name not in found.domains)
    if isinstance(found.taken_roles, Unread):
        yield report_unread("role-names", "the roles", found.taken_roles)
    else:
        taken = ", ".join(found.taken_roles)
        what = f"taken: {taken}" if taken else "the names of the users' roles are free"
        yield judge("role-names", what, not taken)
