"""The policy pack, as the engine starts it."""

import analyzer
import conversions
from catalogue import RULES
from pack import policies
from pulumi_policy import EnforcementLevel, PolicyPack

conversions.share()
analyzer.use()
PolicyPack(name="groundwork", enforcement_level=EnforcementLevel.MANDATORY, policies=policies(RULES))
