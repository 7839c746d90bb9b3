"""Stop before the card does: cards lock their keys after a few failed sessions, for ever."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field

from services.cardperso.globalplatform.errors import AuthenticationSuspended


@dataclass
class AttemptGuard:
    """Counts the sessions in a row that failed with one chip.

    Cards allow between 3 and 255 of them; some count each INITIALIZE UPDATE that no authentication follows.

    Args:
        limit: failures after which a chip is left alone.
        failures: count by chip; a mapping that lasts where the count has to survive a restart.
    """

    limit: int = 3
    failures: MutableMapping[str, int] = field(default_factory=dict)

    def check(self, chip: str) -> None:
        """Refuse a chip that has failed `limit` times.

        Raises:
            AuthenticationSuspended: it has.
        """
        if self.failures.get(chip, 0) >= self.limit:
            raise AuthenticationSuspended(chip, self.failures[chip])

    def failed(self, chip: str) -> None:
        """The keys were wrong on one side or the other."""
        self.failures[chip] = self.failures.get(chip, 0) + 1

    def clear(self, chip: str) -> None:
        """A session was opened, which resets the card's counter too; or an operator knows better now."""
        self.failures.pop(chip, None)
