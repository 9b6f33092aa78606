"""People come and go, and make mistakes; each chapter leaves the article's grants as it found them."""

from demo.cast import POLICY, Cast, Row
from demo.desk import ROOT
from demo.stage import eventually, expect, say, step

BROKEN = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    alow: READWRITE
"""


def tell(cast: Cast, article: set[Row]) -> None:
    new_profile(cast, article)
    profile_leaves(cast, article)
    broken_policy(cast, article)


def new_profile(cast: Cast, article: set[Row]) -> None:
    with step("A new Studio user, userC, is added; nobody runs anything else"):
        studio, role = cast.desk.client("sagemaker"), cast.studio_role("sagemaker-userc-role")
        studio.create_user_profile(DomainId=cast.domain(), UserProfileName="userC", UserSettings={"ExecutionRole": role})
        wanted = article | cast.granted("userC", "Product", "UserC")
        eventually("userC has its grants", wanted, cast.grants)


def profile_leaves(cast: Cast, article: set[Row]) -> None:
    with step("userC leaves"):
        studio = cast.desk.client("sagemaker")
        profile = {"DomainId": cast.domain(), "UserProfileName": "userC"}
        eventually("its profile has settled", "InService", lambda: studio.describe_user_profile(**profile)["Status"])
        studio.delete_user_profile(**profile)
        eventually("userC's grants are gone, the others stand", article, cast.grants)
        cast.desk.client("iam").delete_role(RoleName="sagemaker-userc-role")


def broken_policy(cast: Cast, article: set[Row]) -> None:
    with step("The steward makes a mistake"):
        say(BROKEN)
        seen = cast.complaints()
        cast.put_policy(POLICY, BROKEN.encode())
        place = f"{POLICY}:6:5:"
        eventually("the function's log says where", True, lambda: any(place in said for said in cast.complaints() - seen))
        for said in sorted(said for said in cast.complaints() - seen if place in said):
            say(said)
        expect("nothing has changed", article, cast.grants())
        cast.put_policy(POLICY, (ROOT / POLICY).read_bytes())
