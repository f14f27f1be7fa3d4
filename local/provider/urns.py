"""The parts of a URN that a provider needs."""


def urn_type(urn: str) -> str:
    return urn.split("::")[-2].rpartition("$")[2]


def urn_name(urn: str) -> str:
    return urn.split("::", 3)[-1]
