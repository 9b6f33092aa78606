"""One adapter per AWS service. This is the only package that calls boto3.

Every method raises RetryableError on throttling, timeouts and faults of the service, and
ClientError otherwise. A method's docstring says what it costs in calls and which other errors it
raises. After a RetryableError a write may have happened.

Folders, Studio, IdentityCenter, EventQueue, UploadQueue, and the functions of cloudformation and
cleanup let AWS's errors pass unchanged; their callers handle them.
"""
