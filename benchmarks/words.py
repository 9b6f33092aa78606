"""What is to be said of each table in docs/performance.md."""

CALLS = """
Counted at the sandbox, call by call. Every profile holds a hundred grants by a hundred rules in ten files. *Grantor* are its calls to Access
Grants, *fewest* those that nobody could do without (a page for each 1,000 grants, or one list for an event, and a call for each change),
*at most* the bound: three calls beyond the pages and the changes of a sweep, three beyond the changes of an event. *Terraform* reads each
grant and then its tags, 2N calls, before it changes anything. An event costs the same however many grants there are.

The ledger is read by one scan, in pages of a megabyte of some 4,000 items; its items are the grants and who holds them because of what.
*Cold* is a process that has never seen the profiles and looks at each; warm it looks at those that have changed.
"""

SWEEP = """
A sweep with nothing to change by the built function, in its own process with its own memory limit, beside a script that reads the same
pages of grants and ledger and does nothing with them. *Core busy* is the time for which it keeps one core busy. Lambda gives a function of
512 MB about 0.29 of a core (one at 1,769 MB), so a sweep of 100,000 grants, AWS's quota for an instance, would be busy
there for some {seconds} of its 120 seconds; whoever has so many may give the function more memory, and with it more of a core.
"""

PLANNER = """
Each task in a process of its own, on one core, best of three: 100,000 wanted grants against 100,000 that exist, from values to the plan in
its order; and policy files from their bytes to the grants that they want.
"""

COLD_START = """
The built `ReconcileGrants` and a function whose only line before its handler makes a boto3 client for S3 Control, as `sam build` leaves
them, in turn. Init is from the start of the process to the runtime's first `/next`. The first invocation stands beside it so that no cost is
hidden by being moved there: ours answers a bell with nothing to change, which takes clients for four services and a dozen calls; the other
lists one grant.
"""

EVENT_TO_GRANT = """
Through the deployed stack: a policy file is put, its event goes through EventBridge and SQS, the function makes the grant. Beside it the same
way to a function that does nothing. A dozen calls one after another stand between: the lease, the accepted versions, the list of the files,
the file, the ledger, beside one another the profiles, the locations and the grants, then the last sweep, what is accepted, what goes and
what comes, and the grant.
"""

LOAD = """
Half of the uploads go below a folder that a rule follows. Batches of ten and no batching window: AWS demands a window of a second or more for
more than ten messages, and that second would be added to every single event of a quiet day. Instead whoever finds a run going on leaves what
it heard in the lease and goes home; the run looks there before it ends. It begins the next run a quarter of a second after the last one's
start, then half a second, up to four. Of four functions at once (`MaximumConcurrency`) one runs and three collect.
"""

SPARK = """
The article's pipeline (three stages of Spark ML, a random split, lines
written by Python from an RDD), the job's pass as it is shipped and
configured, with validation, quarantine, a stable split and all that the drift report
counts, and polars, which does without a cluster (and without reasons, quarantine and counts). In turn on the same files: UCI's, and rows drawn
from it with each measure moved by up to 5 %. Spark 3.5.9 on two cores with 3 GB of heap. A run is a process of its own, from its start to its
end: shortest, median and longest. CPU is that of all processes that came of it, JVM and Python; peak is the largest sum of their memory.
"""
