"""Values that the tests of jobs share: the article's job as userA has it, and its input as it was
uploaded.
"""

from grantor.core.jobs.request import Attempt, CodeVersion, LaunchEnvironment
from grantor.core.rules import Job, ProfileSelector, Start
from grantor.core.snapshot import InputObject

ROLE = "arn:aws:iam::111122223333:role/sagemaker-usera-role"
JOB = Job(
    "policy/article.yaml", "abalone", "abalone", ProfileSelector(("Product-Domain",), each=True),
    "s3://data/{profile.folder}/abalone.csv", "s3://data/{profile.folder}/output/",
)  # fmt: skip
START = Start(
    JOB,
    ROLE,
    "Product-Domain/userA",
    "s3://data/UserA/abalone.csv",
    "s3://data/UserA/abalone.csv",
    "s3://data/UserA/output/",
)
GIVEN = InputObject(
    "s3://data/UserA/abalone.csv", "b1946ac92492d2347c6235b4d2611184", 191_873, "v1"
)
CODE = CodeVersion("c0de", "1")
RUN = "0123456789abcdef0123"
NAME = f"grantor-abalone-{RUN}-a1-5eed5eed"
ATTEMPT = Attempt(START, GIVEN, RUN, 1, NAME)
ENVIRONMENT = LaunchEnvironment("grantor", "111122223333", "us-east-1", "ops", "c0de")
