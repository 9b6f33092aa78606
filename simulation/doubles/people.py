"""SageMaker Studio, IAM and IAM Identity Center: whom runs ask about people, as plain tables."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulation.doubles.gate import Request, ServiceClient, ServiceError
from simulation.scheduler import Scheduler

LISTS = ("list_domains", "list_user_profiles", "list_tags")  # of SageMaker, in pages


class StudioClient(ServiceClient):
    """A client of SageMaker."""

    service = "sagemaker"


class RolesClient(ServiceClient):
    """A client of IAM."""

    service = "iam"


class StoreClient(ServiceClient):
    """A client of the identity store."""

    service = "identitystore"


class CenterClient(ServiceClient):
    """A client of IAM Identity Center."""

    service = "sso_admin"


@dataclass
class StudioProfile:
    """A user profile; `role` is empty if it has the domain's."""

    name: str
    role: str
    created: float
    modified: float
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class StudioDomain:
    """A domain and its profiles by name."""

    name: str
    id: str
    role: str
    profiles: dict[str, StudioProfile] = field(default_factory=dict)


class StudioBackend:
    """The Studio domains of the account."""

    paginators = dict.fromkeys(LISTS, ("NextToken", "NextToken"))

    def __init__(self, scheduler: Scheduler, page_profiles: int = 100) -> None:
        self._scheduler, self._page = scheduler, page_profiles
        self.domains: dict[str, StudioDomain] = {}  # by id

    def list_domains(self, _: Request) -> Any:
        listed = [
            {"DomainName": one.name, "DomainId": one.id, "Status": "InService"}
            for one in self.domains.values()
        ]
        return {"Domains": listed}

    def describe_domain(self, request: Request) -> Any:
        return {"DefaultUserSettings": {"ExecutionRole": self._find_domain(request).role}}

    def list_user_profiles(self, request: Request) -> Any:
        domain = self.domains.get(request["DomainIdEquals"])
        names = sorted(domain.profiles) if domain else []
        after = request.get("NextToken", "")
        left = [name for name in names if name > after]
        found = [domain.profiles[name] for name in left[: self._page]] if domain else []
        more = {"NextToken": left[self._page - 1]} if len(left) > self._page else {}
        return {"UserProfiles": [self._describe_listed(one) for one in found], **more}

    def describe_user_profile(self, request: Request) -> Any:
        domain = self._find_domain(request)
        found = domain.profiles.get(request["UserProfileName"])
        if found is None:
            raise ServiceError("ResourceNotFound", 400, "the profile does not exist")
        settings = {"UserSettings": {"ExecutionRole": found.role}} if found.role else {}
        arn = f"arn:aws:sagemaker:::user-profile/{domain.id}/{found.name}"
        return {**self._describe_listed(found), "UserProfileArn": arn, **settings}

    def list_tags(self, request: Request) -> Any:
        _, domain_id, name = request["ResourceArn"].split("/")
        domain = self.domains.get(domain_id)
        found = domain.profiles.get(name) if domain else None
        if found is None:
            raise ServiceError("ResourceNotFound", 400, "the profile does not exist")
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()]}

    def _find_domain(self, request: Request) -> StudioDomain:
        if request["DomainId"] not in self.domains:
            raise ServiceError("ResourceNotFound", 400, "the domain does not exist")
        return self.domains[request["DomainId"]]

    def _describe_listed(self, found: StudioProfile) -> dict[str, Any]:
        return {
            "UserProfileName": found.name,
            "Status": "InService",
            "CreationTime": datetime.fromtimestamp(found.created, UTC),
            "LastModifiedTime": datetime.fromtimestamp(found.modified, UTC),
        }


@dataclass
class Role:
    """An IAM role; S3 knows it from `known_at` on."""

    arn: str
    id: str
    known_at: float


class RolesBackend:
    """The IAM roles of the account; it has no users."""

    paginators = {  # noqa: RUF012  -- never changed
        "list_roles": ("Marker", "Marker"),
        "list_users": ("Marker", "Marker"),
    }

    def __init__(self, scheduler: Scheduler, account: str) -> None:
        self._scheduler, self._account = scheduler, account
        self.roles: dict[str, Role] = {}
        self._number = 0

    def list_roles(self, _: Request) -> Any:
        return {"Roles": [{"Arn": one.arn, "RoleId": one.id} for one in self.roles.values()]}

    def list_users(self, _: Request) -> Any:
        return {"Users": []}

    def create_role(self, arn: str, late: float) -> None:
        """Make a role that S3 knows so many seconds later."""
        self._number += 1
        self.roles[arn] = Role(arn, f"AROA{self._number}", self._scheduler.now + late)

    def find_known_id(self, arn: str) -> str | None:
        """The unique id of a role that S3 knows; roles of other accounts are assumed to exist."""
        if arn.split(":")[4] != self._account:
            return arn
        found = self.roles.get(arn)
        return found.id if found and found.known_at <= self._scheduler.now else None


class DirectoryBackend:
    """IAM Identity Center: one store, its users and groups by kind and name."""

    paginators = {  # noqa: RUF012  -- never changed
        "list_instances": ("NextToken", "NextToken")
    }

    def __init__(self) -> None:
        self.ids: dict[tuple[str, str], str] = {}

    def list_instances(self, _: Request) -> Any:
        return {"Instances": [{"IdentityStoreId": "d-1", "InstanceArn": "arn:aws:sso:::ssoins-1"}]}

    def get_user_id(self, request: Request) -> Any:
        return {"UserId": self._find("User", request)}

    def get_group_id(self, request: Request) -> Any:
        return {"GroupId": self._find("Group", request)}

    def _find(self, kind: str, request: Request) -> str:
        name = request["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        if (kind, name) not in self.ids:
            raise ServiceError("ResourceNotFoundException", 404, "not found")
        return self.ids[kind, name]
