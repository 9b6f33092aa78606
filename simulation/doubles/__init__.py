"""In-memory doubles of the AWS services that a run uses: clients that answer as botocore's do.

Each client belongs to one simulated process. Every call goes through the gate (gate.py), where
other tasks go on, faults strike, and promises are checked.
"""
