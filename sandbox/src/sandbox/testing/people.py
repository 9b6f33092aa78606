"""People of IAM Identity Center, and the sessions in which an application acts for them.

Trusted identity propagation, as an application does it: a person signs in, the application takes
the code to CreateTokenWithIAM and the token's identity context to AssumeRole.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox.identity_center.applications import CUSTOM_PROVIDER, GRANTS_SCOPE
from sandbox.testing.helpers import call_control, policy_document, unique_name
from sandbox.testing.running import Sandbox

REDIRECT = "https://app.example.com/signed-in"
CONTEXT_PROVIDER = "arn:aws:iam::aws:contextProvider/IdentityCenter"


@dataclass(frozen=True)
class PeopleApplication:
    """An application of one's own that people sign in to, and the role that it has.

    `arn` is the application's; the role may be assumed by itself, also with a context.
    """

    sandbox: Sandbox
    arn: str
    role: str

    @classmethod
    def create(cls, sandbox: Sandbox, scope: str = GRANTS_SCOPE) -> "PeopleApplication":
        """Create an application that everybody may use, with a role that may ask for data."""
        role = _create_role(sandbox)
        admin = sandbox.client("sso-admin")
        arn = admin.create_application(
            InstanceArn=admin.list_instances()["Instances"][0]["InstanceArn"],
            ApplicationProviderArn=CUSTOM_PROVIDER,
            Name=unique_name("app"),
        )["ApplicationArn"]
        admin.put_application_grant(
            ApplicationArn=arn,
            GrantType="authorization_code",
            Grant={"AuthorizationCode": {"RedirectUris": [REDIRECT]}},
        )
        actors = {"Principal": {"AWS": role}, "Action": "sso-oauth:CreateTokenWithIAM"}
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **actors}]}
        admin.put_application_authentication_method(
            ApplicationArn=arn,
            AuthenticationMethodType="IAM",
            AuthenticationMethod={"Iam": {"ActorPolicy": policy}},
        )
        admin.put_application_access_scope(ApplicationArn=arn, Scope=scope)
        admin.put_application_assignment_configuration(ApplicationArn=arn, AssignmentRequired=False)
        return cls(sandbox, arn, role)

    def get_code(self, user: str) -> str:
        """Sign the person in; return the code that the browser brings."""
        asked = urlencode({"user": user, "application": self.arn, "redirect": REDIRECT})
        answer = call_control(self.sandbox, f"sign-in?{asked}", "POST")
        return str(answer["code"])

    def get_token(self, user: str) -> dict[str, Any]:
        """Sign the person in, and return the answer of CreateTokenWithIAM."""
        return dict(
            self.sandbox.client("sso-oidc", self.get_session()).create_token_with_iam(
                clientId=self.arn,
                grantType="authorization_code",
                code=self.get_code(user),
                redirectUri=REDIRECT,
            )
        )

    def get_session(self, **more: Any) -> dict[str, str]:
        """Return a session of the application's role."""
        sts = self.sandbox.client("sts")
        return dict(
            sts.assume_role(RoleArn=self.role, RoleSessionName="app", **more)["Credentials"]
        )

    def act_for(self, user: str) -> dict[str, str]:
        """Return a session of the application's role that acts for the person."""
        context = self.get_token(user)["awsAdditionalDetails"]["identityContext"]
        provided = {"ProviderArn": CONTEXT_PROVIDER, "ContextAssertion": context}
        return self.get_session(ProvidedContexts=[provided])


def _create_role(sandbox: Sandbox) -> str:
    iam, name = sandbox.client("iam"), unique_name("app")
    account = sandbox.client("sts").get_caller_identity()["Account"]
    trust = policy_document(
        {
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": ["sts:AssumeRole", "sts:SetContext"],
        }
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="own",
        PolicyDocument=policy_document(
            {
                "Action": [
                    "s3:GetDataAccess",
                    "s3:ListCallerAccessGrants",
                    "s3:ListAllMyBuckets",
                    "sso-oauth:CreateTokenWithIAM",
                ],
                "Resource": "*",
            }
        ),
    )
    return str(arn)
