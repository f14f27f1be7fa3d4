"""Every way to break each whole-stack rule, in a stack as it is declared."""

from collections.abc import Mapping, Sequence

from tests.mutations.breaches import entry, network, recovery, stores, watching, workloads
from tests.mutations.breaking import Breach

BREACHES: Mapping[str, Sequence[Breach]] = {
    **entry.BREACHES,
    **network.BREACHES,
    **recovery.BREACHES,
    **stores.BREACHES,
    **watching.BREACHES,
    **workloads.BREACHES,
}
