"""Scopes as strings: how a grant's scope is made of its location's, what covers what, and whose bucket it is."""


def join(location: str, sub_prefix: str) -> str:
    """The scope of a grant: location and sub-prefix, with the slash that the service puts behind a bare bucket.

    >>> join("s3://b", "users*"), join("s3://b/", "users*"), join("s3://", "b/users/*"), join("s3://b/", "")
    ('s3://b/users*', 's3://b/users*', 's3://b/users/*', 's3://b/')
    """
    if not sub_prefix:
        return location
    bare = location.removesuffix("*")
    between = "/" if bare != "s3://" and "/" not in bare.removeprefix("s3://") else ""
    return f"{bare}{between}{sub_prefix}"


def bucket(scope: str) -> str:
    """>>> bucket("s3://b/p/*"), bucket("s3://b*"), bucket("s3://")
    ('b', 'b', '')
    """
    return scope.removeprefix("s3://").partition("/")[0].removesuffix("*")


def covers(scope: str, target: str, *, bare_bucket: bool) -> bool:
    """Whether every key that `target` names lies in `scope`: prefixes are plain strings, not paths.

    >>> covers("s3://b/team*", "s3://b/team-secret/x", bare_bucket=True), covers("s3://b/x", "s3://b/x*", bare_bucket=True)
    (True, False)
    """
    if scope.endswith("*"):
        prefix = scope[:-1]
        return target.removesuffix("*").startswith(prefix) or (bare_bucket and prefix == f"{target}/")
    if scope.endswith("/") or "/" not in scope.removeprefix("s3://"):
        root = scope if scope.endswith("/") else f"{scope}/"
        # A location granted whole, such as s3://b/ or s3://b, covers all that lies below it.
        return target == scope or target.startswith(root) or (bare_bucket and f"{target}/" == root)
    return target == scope
