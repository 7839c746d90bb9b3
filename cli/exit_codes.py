"""What a command tells the program that called it; 0 where it was done and there is nothing to mend."""

from __future__ import annotations

from typer._click.exceptions import UsageError

ERROR = 1
"""It could not be done: a service that does not answer, a refusal, faults in a file."""
NO = 2
"""It was done, and the answer is no: the books differ, the card is not genuine, the licence has ended."""
USAGE = 64
"""It was called wrongly (``EX_USAGE`` of ``sysexits.h``)."""


def tell_usage_apart() -> None:
    """A wrong option ends with :data:`USAGE`; Typer's own 2 would be read as the answer no."""
    UsageError.exit_code = USAGE
