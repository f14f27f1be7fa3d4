"""`groundwork report`: what a pull request changes, in one comment that answers four questions.

1. What is replaced or destroyed (losses.py, acknowledgement.py)?
2. What does it cost (costs.py, formulas.py)?
3. What do the policies say (findings.py)?
4. How long does it take, and what stops meanwhile (risk.py)?

All of it is read from what `pulumi preview --json` and its `--event-log` wrote, and from the tables beside this file:
stateful.yaml, prices.yaml, durations.yaml, effects.yaml. Nothing is asked of AWS or of the engine.
"""

from operations.report.cli import command

__all__ = ["command"]
