"""Limits that Grantor chooses: sizes, counts, times and thresholds, each with its unit.

A name ends with its unit, or the value is a timedelta. AWS's own limits are in limits.py. cli/
keeps what concerns only its display in cli/output.py.
"""

from datetime import timedelta

# Policy files
MAX_POLICY_FILE_BYTES = 1_000_000  # a larger file is not read at all
# A larger file is a mistake, and parsing it would use up the run's time.
MAX_POLICY_FILE_CHARACTERS = 1_000_000
MAX_YAML_DEPTH = 16  # nested collections; the deepest valid rule has six
MAX_VARIABLE_CHARACTERS = 2_000  # of a text with its variables filled in; as long as a scope can be
LAST_END_YEAR = 9_998  # of an `until`: the day after it is still a date in Python
DEFAULT_JOB_TIME_LIMIT = timedelta(hours=1)
# Grants that one rule may need for one grantee; an instance holds 100,000.
MAX_GRANTS_PER_GRANTEE = 100
MAX_RULE_COMBINATIONS = 20_000  # of items of `to` and `on`, in all rules of a file
MAX_PREFIX_FOLDERS = 200  # of a rule for each_prefix that does not say at_most
MAX_TEST_QUESTIONS = 1_000  # of a policy file, which a run asks when the file has changed
MAX_GIVEN_NAMES = 500  # profiles, users, groups and folders in a policy file's tests
# Of a policy file: rules times names in given times different times of tests, some 50 µs each
MAX_TEST_STEPS = 20_000
MAX_FAILED_TESTS = 20  # of a policy file that one report names
MAX_GRANTS = 100_000  # that policy files and bounds can speak of; as many as an instance holds
MAX_CACHED_POLICIES = 4_096  # parsed files that a warm environment keeps

# Bounds, where no bounds file says otherwise
DEFAULT_BOUND_GRANTS = 20_000  # of one policy file
DEFAULT_BOUND_FOLDERS = 1_000  # of one rule for each_prefix
DEFAULT_BOUND_MACHINES = tuple(  # without the sizes that cost more than a few dollars an hour
    f"ml.{family}.{size}"
    for family in ("t3", "m5", "c5", "r5")
    for size in ("medium", "large", "xlarge", "?xlarge")
)
DEFAULT_BOUND_INSTANCES = 10  # of one run of a job
DEFAULT_BOUND_HOURS = 24  # of one run of a job
DEFAULT_BOUND_VOLUME_GB = 500  # of each machine

# Messages
MAX_PROBLEMS_PER_FILE = 1_000  # a file with more of them has one mistake a thousand times
MAX_QUOTED_CHARACTERS = 80  # of an author's own text that a message repeats
MAX_PROBLEM_CHARACTERS = 500  # of what, why and remedy each
MAX_LISTED_VARIABLES = 20  # a file's own variables in one message
MAX_LISTED_NAMES = 3  # roles, profiles or grants in one message
MAX_LISTED_LOCATIONS = 5  # in one message
MAX_IGNORED_FILES = 50  # that nobody reads, named in a run's warnings
MAX_OUTCOME_CHARACTERS = 400  # of a text in a job's outcome that the container or AWS has written
MAX_LOGGED_ITEMS = 100  # of each list of a run's document in a log line

# JSON that others may write: events, messages, a job's summary
MAX_JSON_CHARACTERS = 1_048_576  # a message of SQS has at most so many bytes
MAX_JSON_DEPTH = 32  # brackets in each other; CloudTrail's events have about ten
MAX_JSON_DIGITS = 19  # of a whole number, with its sign; as many as 64 bits hold

# Guard. The first four are defaults of the stack's parameters.
GUARD_DELETES = 20  # grants that may be lost in 24 hours, whatever their share
GUARD_SHARE_PERCENT = 25  # of the grants, that may be lost in 24 hours, whatever their number
GUARD_NEW_GRANTS = 500  # that one policy file may give in 24 hours
GUARD_END_DAYS = 30  # an end that is brought so near counts as a delete
GUARD_WINDOW_HOURS = 24
GUARD_RULE_GRANTS = 3  # of a rule that must not lose all of them without an approval
GUARD_SWAP_GRANTEES = 10  # who lose a permission that as many others get
MAX_GUARD_COUNTS = 2_000  # of the last 24 hours, some 40 bytes each; an item has at most 400 KB
GUARD_SUSPENDED_PEOPLE = 5  # that may be suspended within SUSPENSION_WINDOW without an approval
SUSPENSION_WINDOW = timedelta(days=1)

# Reviews
REVIEW_NOTICE_DAYS = 14  # before a rule ends because nobody has reviewed it, alerts say so
REVIEW_LIST_DAYS = 90  # `grantor review list` names what nobody has reviewed for so long

# Lease
LEASE_SECONDS = 60.0  # if a run dies, the next one begins after this time at the latest
LEASE_RENEWAL_SECONDS = 15.0  # between two renewals
LEASE_WRITE_ATTEMPTS = 60  # conditional writes that others may win: five seconds at the worst
LEASE_EAGER_ATTEMPTS = 3  # of them without a pause
MAX_PENDING_SUBJECTS = 200  # in the lease item; more of them become one trigger for everything
MAX_PENDING_CHARACTERS = 40_000  # of them all; they share an item of 400 KB with the current ones

# Runs
# From the start of a run to that of the next, if triggers arrive meanwhile.
RUN_INTERVAL_FIRST_SECONDS = 0.25
RUN_INTERVAL_MAX_SECONDS = 4.0  # it doubles each time, so that more triggers share a run
SWEEP_SECONDS = 900.0  # between two scheduled runs, as in template.yaml
# Before the function's time limit; a run begins no further change in it.
RUN_MARGIN_SECONDS = 20.0
RUN_SECONDS_WITHOUT_LIMIT = 3_600.0  # for a caller without a time limit: the CLI
RUN_RETRY_ATTEMPTS = 10  # of what is deferred; after them the next scheduled run is soon enough
MAX_FOCUS_SUBJECTS = 100  # of a run; for more of them it reads everything, which then costs less
# Two calls each. Reading everything takes 136 calls at 100,000 grants (AWS's quota).
MAX_GRANTEES_READ_SINGLY = 50
CHANGES_PER_LEDGER_WRITE = 25  # the most that a holder who has lost the lease can still change
# An intent is not judged before: longer than lists lag, and than a run can still call after it has
# lost the lease.
INTENT_GRACE = timedelta(minutes=10)
# A role is new for so long: S3 does not know it at once (Terraform tries for two minutes). After
# that it does not exist.
NEW_GRANTEE_TIME = timedelta(minutes=10)
REBUILD_BATCH_ENTRIES = 90  # between two checks whether to go on; one transaction writes as many

# Calls
CONCURRENT_CALLS = 8  # of a client's ten connections
CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 20
CALL_ATTEMPTS = 8
# Of the client that starts jobs; its queue repeats what it cannot do.
LAUNCH_READ_TIMEOUT_SECONDS = 10
LAUNCH_CALL_ATTEMPTS = 3
TRANSACTION_ITEMS = 90  # DynamoDB takes 100; one more is the check of the lease
TRANSACTION_CHARACTERS = 1_000_000  # of at most four bytes each; DynamoDB takes 4 MB
RETRY_FIRST_SECONDS = 0.01  # longest random pause after the first conflict; doubled with each
RETRY_MAX_SECONDS = 1.0
TRANSACTION_ATTEMPTS = 8  # if other writes conflict; a second and a half in all

# Queues
MAX_EVENT_MESSAGE_BYTES = 200_000  # SQS takes 256 KB
EVENT_RETRY_FIRST_SECONDS = 5
EVENT_RETRY_MAX_SECONDS = 900  # as much as SQS delays a message
MAX_EVENT_AGE = timedelta(days=28)  # a queue and its dead-letter queue keep it 14 days each
UPLOAD_RETRY_FIRST_SECONDS = 10
UPLOAD_RETRY_MAX_SECONDS = 400
# Long polling: the call asks all servers of the queue instead of some.
DEAD_LETTER_WAIT_SECONDS = 1
# After that a received message is visible again, whatever has happened.
DEAD_LETTER_VISIBILITY_SECONDS = 600

# History, approvals and alerts
RUN_RETENTION = timedelta(days=90)
JOB_RETENTION = timedelta(days=90)
PLAN_RETENTION = timedelta(days=30)  # of a plan that requires an approval
# After which an approval of a plan no longer counts, if no run has computed the plan meanwhile.
APPROVAL_LIFETIME = timedelta(days=1)
DECISION_RETENTION = timedelta(days=30)  # of what people say about a plan that is never applied
AUTHOR_RETENTION = timedelta(days=90)  # of who wrote a version of a policy file
# At least, between two checkpoints of the history of grants that follow changes
CHECKPOINT_INTERVAL = timedelta(days=1)
EVENTS_WITHOUT_CHECKPOINT = 1_000  # of one run; after more of them it writes a checkpoint
MAX_PLAN_PART_BYTES = 350_000  # of a pending plan, compressed; an item has at most 400 KB
MAX_PLAN_PARTS = 40  # of one pending plan; a larger plan cannot be approved
MAX_PLAN_TEXT_BYTES = 500_000_000  # of a pending plan as JSON
MAX_BECAUSE_CHARACTERS = 500  # of the reason that a person gives for a decision
MAX_SORT_KEY_CHARACTERS = 250  # of who wrote a file, of at most four bytes each
ALERT_QUIET_TIME = timedelta(days=1)  # in which the same sentence is not sent again
MAX_REMEMBERED_ALERTS = 5_000  # sentences, some 40 bytes each
MAX_STORED_DOCUMENT_BYTES = 300_000  # of a plan or a run as JSON; an item has at most 400 KB
MAX_PLAIN_CHARACTERS = 4_000  # longer text is stored compressed, because an item has at most 400 KB
MAX_EVENT_DETAIL_BYTES = 250_000  # EventBridge takes 256 KB for the whole entry
MAX_ALERT_BYTES = 250_000  # SNS takes 256 KB

# Jobs
# An input that was replaced during a run must not change for this time before the next run.
INPUT_QUIET_FIRST_SECONDS = 30.0
INPUT_QUIET_MAX_SECONDS = 600.0
# `quiet` of a job: a shorter one would end between two uploads of one program, and SQS delays a
# message by 15 minutes at most.
MIN_QUIET_TIME = timedelta(seconds=10)
MAX_QUIET_TIME = timedelta(minutes=15)
MAX_BATCH_TIME = timedelta(hours=1)  # of uploads without a pause, after which a person is alerted
MAX_BATCH_OBJECTS = 1_000  # that match one glob, and make one run
MAX_BATCH_PAGES = 20  # list calls, of 1,000 keys each, for the objects of one glob
MAX_SWEPT_GLOBS = 20  # that one sweep looks at; the next sweep looks at the next ones
MAX_SWEPT_BATCHES = 50  # runs that one sweep judges for one glob, as above
JOB_START_ROUNDS = 4  # looks at one input, which may change during each
# The claimant of a name creates its job within this time or has died: the function's time limit
# and a margin.
JOB_CLAIM_SECONDS = 90.0
CLOCK_SKEW_SECONDS = 300.0  # at most, between AWS's clocks and ours
MAX_JOB_FAILURES = 3  # in a row, after which nothing starts by itself
# Whose attempts are counted. The name of an older one turns out to be taken, and the next is used.
MAX_REMEMBERED_RUNS = 40
MAX_JOB_NAME_CHARACTERS = 16  # of a job's name in the name of its processing job
JOB_NAME_SECRET_BYTES = 4  # at the end of that name; nobody can create so many jobs to guess it
MAX_JOB_SUMMARY_BYTES = 1_000_000  # a larger summary is not read
MAX_UPLOAD_KEY_BYTES = 900  # of an upload in a sort key, which has at most 1,024
MAX_COUNTED_VERSIONS = 10_000  # of an object
UPLOAD_RETRY_ATTEMPTS = 40  # about four hours; then the schedule is soon enough
UPLOAD_RETRY_SLACK_SECONDS = 60.0  # that a message may be late before another one takes its place
# After that an alert is sent for an upload that should have started by itself.
UPLOAD_ALERT_SECONDS = 900.0
# Before the function's time limit; no further upload is looked at in it.
UPLOAD_MARGIN_SECONDS = 20.0
# Waiting uploads that an invocation looks at; each further one gets a message of its own.
MAX_UPLOADS_PER_PASS = 5
# Inputs of jobs that a sweep looks at, with two calls each; further ones are next in turn. At
# SWEEP_SECONDS that is at most 19,200 lists of S3 a day.
MAX_SWEPT_INPUTS = 200
SWEPT_AFTER_SECONDS = 120.0  # for so long after an upload its event may be on its way
SWEPT_UPLOAD_AGE = timedelta(days=14)  # as long as a dead-letter queue keeps an event
MAX_NEAR_MISSES = 10  # that are remembered for one input of a job
NEAR_MISS_RETENTION = timedelta(days=14)  # after the last one for an input

# Teardown
TEARDOWN_LEASE_SECONDS = 7_200  # longer than any deletion: no run may create a grant again
TEARDOWN_RESERVE_SECONDS = 10  # of an invocation, kept for calling itself again or for answering
TEARDOWN_ANSWER_SECONDS = 30  # before CloudFormation's timeout, in which it gets the reason
BUCKET_REMOVAL_TIME = timedelta(days=7)  # in which the removal of a bucket must be completed
NEW_PERMISSION_SECONDS = 60  # until a new permission has spread

# The command doctor
DOCTOR_JOB_INSTANCES = 2  # that the job which ships asks for, of DOCTOR_INSTANCE_TYPE
DOCTOR_INSTANCE_TYPE = "ml.m5.xlarge"
DOCTOR_LOW_CONCURRENCY = 20  # the two mappings may use eight, and an account is not ours alone
MAX_DOCTOR_ROLES = 50  # whose rights are simulated, some twelve calls each
