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


def reach(scope: str, *, whole: bool) -> str:
    """The keys that a grant reaches: those of its scope, and for a location granted whole all that lies below it.

    >>> reach("s3://b/", whole=True), reach("s3://b", whole=True), reach("s3://b/x/", whole=False)
    ('s3://b/*', 's3://b/*', 's3://b/x/')
    """
    return f"{scope.removesuffix('/')}/*" if whole and not scope.endswith("*") else scope


def covers(reached: str, target: str, *, bare_bucket: bool) -> bool:
    """Whether every key that `target` names is reached: prefixes are plain strings, not paths.

    >>> covers("s3://b/team*", "s3://b/team-secret/x", bare_bucket=True), covers("s3://b/x", "s3://b/x*", bare_bucket=True)
    (True, False)
    """
    if not reached.endswith("*"):
        return target == reached
    prefix = reached[:-1]
    whole_bucket = bare_bucket and target == f"s3://{bucket(target)}" and f"{target}/" == prefix
    return whole_bucket or target.removesuffix("*").startswith(prefix)
