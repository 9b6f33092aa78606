"""A local AWS.

It is never deployed, and it knows nothing of the programs that are tested against it.

So it cannot share their mistakes about AWS.
"""
