"""Keys of every kind, and policies about them."""

from random import Random

from tests.keys.matcher import Pattern, Statement, Wild, is_possible

PARTS = (
    *("", "", "", "a", "b", "rw", "rw", "vault", ".", "..", "...", "a.csv", "A.CSV", "%", "%2F"),
    *("%252F", "%00", "+", "a+b", " ", "a b", "  ", "\t", "\n", "\r", "\r\n", "\x00", "\x10"),
    *(
        "\x1f",
        "\x7f",
        "\x85",
        "\u2028",
        "\uffff",
        "\U0001f600",
        "é",
        "e\u0301",
        "ä",
        "*",
        "?",
        "a*",
    ),
    *(
        "$",
        "${aws:username}",
        "&",
        "&amp;",
        "<x>",
        '"',
        "'",
        "#",
        "?versionId=1",
        ";",
        "=",
        ",",
        "\\",
    ),
    *("health", "_ministack", "_sandbox", "calls", "environments", "iceberg", "v2", "v20180820"),
    *("accessgrantsinstance", "tagging", "http:", "arn:aws:s3:::lake", "lake", "-", "~", "^", "|"),
)
# Private letters that stand for others where the sandbox compiles patterns.
NOT_DRAWN = {"\ue02a", "\ue03f"}
ANY_OBJECT: Pattern = ("lake/", Wild.ANY)
BUCKET: Pattern = ("lake",)
READS = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectAttributes")
WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")
ACTIONS = (
    ("s3:*",), READS, WRITES, ("s3:PutObject", "s3:PutObjectTagging"), ("s3:Get*",), ("s3:Put*",),
    ("s3:DeleteObject",), ("s3:*Object",),
)  # fmt: skip


def make_key(random: Random) -> str:
    """Make a key that S3 can have."""
    while True:
        parts = [_make_part(random) for _ in range(random.choice((1, 1, 2, 2, 3, 4)))]
        key = "/".join(parts)
        if random.random() < 0.3:
            key = random.choice(("/", "//")) + key
        if random.random() < 0.3:
            key += random.choice(("/", "//"))
        if key and is_possible(key):
            return key


def _make_part(random: Random) -> str:
    if random.random() < 0.7:
        return random.choice(PARTS)
    return "".join(_make_letter(random) for _ in range(random.randint(1, 6)))


def _make_letter(random: Random) -> str:
    while True:
        code = random.choice((random.randrange(0x80), random.randrange(0x110000)))
        if not 0xD800 <= code <= 0xDFFF and chr(code) not in NOT_DRAWN:
            return chr(code)


def make_pattern(random: Random, key: str) -> Pattern:
    """Make a pattern of objects from a key: the key itself, or one with wildcards in it."""
    key = key[:60]
    start, end = sorted(random.randint(0, len(key)) for _ in range(2))
    return random.choice(
        (
            ("lake/", key),
            ("lake/", key[:end], Wild.ANY),
            ("lake/", key.rstrip("/"), Wild.ANY),
            ("lake/", Wild.ANY, key[start:]),
            ("lake/", key[:start], Wild.ANY, key[end:]),
            ("lake/", key[:start], Wild.ONE, key[start + 1 :]),
            ("lake", Wild.ANY, key[start:end], Wild.ANY),
            ("lake/", key.replace("//", "/")),
            ("lake/", key.strip("/"), Wild.ANY),
        )
    )


def make_statements(random: Random, keys: list[str], allows: bool, most: int) -> list[Statement]:
    """Make statements about some of these keys."""
    return [
        Statement(
            allows,
            random.choice(ACTIONS),
            tuple(make_pattern(random, random.choice(keys)) for _ in range(random.randint(1, 3))),
        )
        for _ in range(random.randint(1, most))
    ]


def make_list_statement(random: Random, keys: list[str]) -> Statement:
    """Make a statement that allows to list prefixes of some keys."""
    prefixes = (make_pattern(random, random.choice(keys))[1:] for _ in range(2))
    return Statement(True, ("s3:List*",), (BUCKET,), tuple(prefixes))
