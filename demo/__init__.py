"""The whole story, told on a small AWS on the desk by the people in it: platform engineer, steward, data scientists.

It sees Grantor only from outside: `sam deploy`, files dropped into S3, AWS's own APIs. Nothing here imports grantor.
"""
