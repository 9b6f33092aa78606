"""What is open about processing jobs, and what takes minutes on AWS: switches, as those of Access Grants are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobSwitches:
    """The answers that are assumed, and the tools."""

    # How does a container that failed show in FailureReason? "code": "AlgorithmError: , exit code: 13", as jobs of today have it.
    # "logs": "AlgorithmError: See job logs for more information", as those of 2020 had it. "message": with the container's own words.
    job_failure_reason: str = "code"
    # Does the execution role need rights to the image's repository? Assumed yes, as SageMaker pulls the image in its name.
    job_image_needs_rights: bool = True
    # Not questions but tools: how many jobs run at a time (the others wait, InProgress); the account's quota of instances of a type;
    # how long the session of an execution role lasts, and how long a container has after SIGTERM (120 s on AWS), in seconds;
    # whether each event of a job comes twice, as AWS says it may.
    jobs_at_once: int = 2
    job_instances_quota: int = 20
    job_session_seconds: int = 3600
    job_stop_seconds: int = 5
    job_events_twice: bool = False
