"""What `grantor doctor` finds, as values: how bad it is, what it means, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is. What could not be read is never OK."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Unread:
    """A fact that could not be read: the action of IAM that it needs, and AWS's reason."""

    action: str
    why: str


type Fact[T] = T | Unread


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `id` is stable, `what` names the place; the rest is "" for OK."""

    id: str
    severity: Severity
    what: str
    meaning: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "id": self.id,
            "severity": str(self.severity),
            "what": self.what,
            "meaning": self.meaning,
            "remedy": self.remedy,
        }


# By the id of a finding: what it means, and what to do.
EXPLANATIONS: Mapping[str, tuple[str, str]] = {
    "region": (
        "the commands of grantor and sam work in two Regions",
        "set AWS_REGION to the Region in samconfig.toml, or change it there",
    ),
    "region-grants": (
        "AWS does not list S3 Access Grants there",
        "choose a Region of the table in docs/deploying.md",
    ),
    "region-studio": (
        "CloudFormation cannot create the Studio environment there, and undoes the stack",
        (
            "choose another Region, or deploy with CreateStudio=false and create domain and "
            "profiles in the console"
        ),
    ),
    "spark-image": (
        "no Spark job can start there",
        "choose another Region, or deploy without jobs in policy files",
    ),
    "spark-image-list": (
        "AWS's SDK names an image there, and AWS's own list of images does not",
        "try a job before you depend on it: make test-live with a stack",
    ),
    "stack-name": (
        "the stack cannot be created",
        "choose another name: stack_name in samconfig.toml, or sam deploy --stack-name",
    ),
    "role-prefix": (
        "AWS refuses the names of the users' roles, or AmazonSageMakerFullAccess matches them",
        "choose another RolePrefix: a letter, then letters, digits and hyphens, without sagemaker",
    ),
    "network": (
        "EC2 refuses the network, and CloudFormation undoes the stack",
        "correct VpcCIDR, PrivateSubnetCIDR and PublicSubnetCIDR together",
    ),
    "stack-state": (
        "CloudFormation changes no stack in this state",
        (
            "see its events for the reason; delete it if it was never complete (sam delete), else "
            "continue the rollback (aws cloudformation continue-update-rollback)"
        ),
    ),
    "instance": (
        "an account has one S3 Access Grants instance per Region",
        "deploy with AccessGrants=existing if there is one, and AccessGrants=create if not",
    ),
    "location": (
        "AccessGrantsLocation names no location of the instance that the stack will use",
        "take an id that aws s3control list-access-grants-locations shows, or leave it empty",
    ),
    "data-location": (
        "S3 Access Grants vends nothing for the data bucket, and new grants are refused",
        (
            "deploy the stack again, or set AccessGrantsLocation to a location that covers the "
            "bucket; take an existing bucket out of the stack's parameters, and add it again"
        ),
    ),
    "location-role": (
        "S3 Access Grants cannot assume the location's role, so nobody gets credentials",
        (
            "repair the role's trust in access-grants.s3.amazonaws.com: sts:AssumeRole and "
            "sts:SetSourceIdentity"
        ),
    ),
    "directory-trust": (
        "people of IAM Identity Center get no credentials",
        (
            "allow access-grants.s3.amazonaws.com sts:SetContext in the trust policy of the role; "
            "deploy the stack again"
        ),
    ),
    "trail": (
        (
            "changes of profiles are found by the next sweep only, up to 15 minutes late, unless a "
            "trail logs write events; a second trail costs extra; a Region has five at most"
        ),
        "Trail=existing if a trail of the account logs write events, else Trail=create",
    ),
    "domain-name": (
        "two domains of one name put every rule on hold that names it",
        "choose another DomainName, or CreateStudio=false to use the domain that exists",
    ),
    "role-names": (
        "IAM refuses a second role of this name, and CloudFormation undoes the stack",
        "choose another RolePrefix, or delete the roles if they are left from an older stack",
    ),
    "job-quota": (
        "a Spark job on this type of instance does not start",
        (
            "request an increase of this quota in the console of Service Quotas, Amazon SageMaker, "
            "in this Region; it can take days"
        ),
    ),
    "concurrency": (
        "functions share few concurrent executions with everything else in the account, and wait",
        "request an increase of Concurrent executions in the console of Service Quotas, AWS Lambda",
    ),
    "ledger": (
        "no run can start, and no command works",
        "restore the ledger: docs/operations.md, A lost ledger",
    ),
    "ledger-protection": (
        "one call deletes the ledger, with the record of which grants are whose",
        "aws dynamodb update-table --table-name {ledger} --deletion-protection-enabled",
    ),
    "ledger-recovery": (
        "a damaged or deleted ledger cannot be restored as it was",
        (
            "aws dynamodb update-continuous-backups --table-name {ledger} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        ),
    ),
    "trigger": (
        "events do not reach the function: changes wait, or are found by the next sweep only",
        (
            "enable it: aws events enable-rule, aws lambda update-event-source-mapping --enabled; "
            "if it is missing, deploy the stack again"
        ),
    ),
    "bucket-events": (
        "uploads to the bucket start nothing until the next sweep",
        (
            "switch it on in the console of S3, in the bucket's properties: Event notifications, "
            "Amazon EventBridge. That keeps other notifications, which the CLI would replace"
        ),
    ),
    "data-bucket": (
        "whoever has permissions of S3 reaches the data without a grant",
        (
            "deploy with DataAccess=grants-only; if it is set, somebody has changed the bucket's "
            "policy: deploy the stack again; take an existing bucket out of its parameters, and "
            "add it again"
        ),
    ),
    "existing-bucket": (
        "the stack cannot connect the bucket, and CloudFormation undoes the deployment",
        "write the names of buckets of this account and Region into DataBuckets to DataBuckets8",
    ),
    "policy-bucket": (
        "whoever has permissions of S3 decides who gets which grants",
        (
            "deploy with PolicyWrites=stewards-only; if it is set, deploy the stack again: "
            "somebody has changed the bucket's policy"
        ),
    ),
    "clock": (
        "the scheduled run does not run, so lost events and ended grants stay as they are",
        "see the alarms and the log of ReconcileGrants; grantor apply runs it by hand",
    ),
    "first-sweep": (
        "the stack is new, or its scheduled run does not work",
        "wait for a quarter of an hour, then run grantor doctor again",
    ),
    "dead-letters": (
        "events could not be processed, and wait for a person for 14 days",
        "see the log of the function for the reason, then grantor redrive",
    ),
    "alarm": (
        "the alarm says that a person must act",
        "docs/operations.md explains each alarm",
    ),
    "alerts": (
        "nobody gets a notification when a person must act",
        (
            "aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint "
            "ADDRESS, and confirm the mail"
        ),
    ),
    "recursion": (
        "Lambda stops a chain of retries after 16 links, and the messages are dropped",
        (
            "deploy the stack again, or aws lambda put-function-recursion-config --function-name "
            "{function} --recursive-loop Allow"
        ),
    ),
    "lake-formation": (
        "Lake Formation vends this location to whom it trusts, whatever grants exist",
        "aws lakeformation deregister-resource --resource-arn {location}, unless that is meant",
    ),
    "profiles": (
        "nobody can work in Studio, or not all profiles were judged",
        "create profiles; a policy file names their domain",
    ),
    "profile-role": (
        "apps of the profile do not start, and grants to its role fail",
        "create the role again, or give the profile another one",
    ),
    "role-trust": (
        "SageMaker cannot assume the role, so nothing starts in Studio",
        "allow sagemaker.amazonaws.com sts:AssumeRole in the role's trust policy",
    ),
    "studio-rights": (
        "whoever works as this profile cannot open a space: Studio acts with this role",
        "attach the stack's managed policy Notebook to the role, or allow it what is named",
    ),
    "credentials": (
        "the role cannot ask for the credentials that its grants are for",
        (
            "attach the stack's managed policy Notebook to the role, or allow s3:GetDataAccess on "
            "{instance}"
        ),
    ),
    "pass-role": (
        "whoever works with this role cannot start a processing job from a notebook",
        (
            "give the role its tag and the stack's managed policy Notebook, or allow iam:PassRole "
            "on itself with iam:PassedToService sagemaker.amazonaws.com"
        ),
    ),
    "data-without-grant": (
        "the role reaches data without a grant",
        (
            "take the permission away, attach the stack's managed policy Scientist, or deploy with "
            "DataAccess=grants-only"
        ),
    ),
    "policy-writes": (
        "the role can change who gets which grants",
        (
            "take the permission away, attach the stack's managed policy Scientist, or deploy with "
            "PolicyWrites=stewards-only"
        ),
    ),
    "role-tag": (
        "jobs of the role cannot write their traces, and it can pass no role",
        "aws iam tag-role --role-name {role} --tags Key=grantor:role,Value={role}",
    ),
    "role-denies": (
        "whatever is attached to the role later may open another way to the data",
        "aws iam attach-role-policy --role-name {role} --policy-arn {scientist}",
    ),
}


def report_ok(kind: str, what: str) -> Finding:
    """All is well with this."""
    return Finding(kind, Severity.OK, what)


def report_skipped(kind: str, what: str) -> Finding:
    """This was not looked at; `what` says why."""
    return Finding(kind, Severity.SKIPPED, what)


def report_problem(
    kind: str, what: str, severity: Severity = Severity.FAILURE, **names: str
) -> Finding:
    """Something is wrong; `names` are those of resources that the remedy needs."""
    meaning, remedy = EXPLANATIONS[kind]
    return Finding(kind, severity, what, meaning, remedy.format(**names))


def judge(
    kind: str, what: str, is_well: bool, severity: Severity = Severity.FAILURE, **names: str
) -> Finding:
    """All is well, or something is wrong."""
    return report_ok(kind, what) if is_well else report_problem(kind, what, severity, **names)


def report_unread(kind: str, what: str, fact: Unread) -> Finding:
    """This could not be read, so nothing is known about it."""
    return Finding(
        kind,
        Severity.UNKNOWN,
        f"{what} could not be read: {fact.why}",
        "nothing is concluded from what was not read",
        f"allow yourself {fact.action}; the stack's managed policies Reader and Doctor have it",
    )
