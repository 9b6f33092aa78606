"""What a verb raises when it can not do what was asked: what, why, and what to do instead, for a person."""


class Trouble(Exception):
    """The verb can not do it; its text says why."""

    code = 1  # that the command line ends with


class Misused(Trouble):
    """What was asked makes no sense."""

    code = 2
