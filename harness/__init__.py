"""What the demo, the benchmarks and the IAM audit share.

A sandbox session, the deployed stack, steps with expectations, and figures. It sees Grantor only
from outside: `sam deploy`, files put into S3, AWS's own APIs. Nothing here imports grantor.
"""
