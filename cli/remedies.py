"""What a service says to programs, in the words of a shell: commands for calls, options for fields, examples
for patterns.
"""

from __future__ import annotations

import re
from typing import Final

#: The command that does, or tells, what a call of the inventory does that its remedies name.
_COMMANDS: Final = {
    "AddItem": "item add",
    "AttachDocument": "contract attach",
    "BeginCount": "count begin",
    "CheckBooks": "books --check",
    "GetAllocation": "shipment list",
    "GetBlank": "blank show SERIAL",
    "GetContract": "contract show",
    "GetDestruction": "destruction show",
    "ListAllocations": "shipment list",
    "ListContracts": "contract show",
    "ListConveyances": "conveyance list",
    "ListItems": "item list",
    "ListLoans": "loan list",
    "ListLots": "export movements FILE",
    "ListPlans": "plan list",
    "ListRequisitions": "requisition list",
    "ListReversals": "reversal list",
    "ListSpoilage": "spoilage list",
    "OpenSite": "site open",
    "PrepareDestruction": "destruction prepare",
    "ProposeChange": "contract propose",
    "ProposeReversal": "reversal propose",
    "ReceiveLot": "import delivery-notes FILE",
    "RecordExitItem": "contract left",
    "ReportCoverage": "coverage report",
    "ReverseShipment": "shipment reverse",
    "ReviewSpoilage": "spoilage review",
}
#: A call; some remedies name its command already.
_CALL: Final = re.compile(rf"\b({'|'.join(_COMMANDS)})\b(?: \(tunggal [^)]*\))?")

#: The options that give what remedies call by the names of fields.
_OPTIONS: Final = {"first_day": "--from", "last_day": "--to"}
_OPTION: Final = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")

#: What the contracts ask of a text, by what their patterns have in them, and what people would say of it.
_PATTERN: Final = re.compile(r"does not match regex pattern `([^`]*)`")
_KINDS: Final = (
    ("[0-9]{4}-[0-9]{2}-[0-9]{2}", "is no day; write it as 2026-11-30"),
    ("ID|[0-9]{2}", "is no place; write ID, 32, 32.16 or 32.16:mall-01"),
    ("[A-Za-z0-9][A-Za-z0-9._@-]", "has characters that it cannot have; letters, digits and ._@- will do"),
)
_FIELDS: Final = "Correct the fields named in field_violations and send again; nothing was written."


def said_of(message: str) -> str:
    """The message, with an example of what would do in place of a regular expression."""

    def example(found: re.Match[str]) -> str:
        return next((said for part, said in _KINDS if part in found[1]), found[0])

    return _PATTERN.sub(example, message)


def at_a_shell(remedy: str) -> str:
    """The remedy, with the command in place of each call that has one, and options in place of fields."""
    if remedy == _FIELDS:
        return "Correct it and give the command again; nothing was written."
    named = _OPTION.sub(lambda found: _OPTIONS[found[1]], remedy)
    return _CALL.sub(lambda found: f"tunggal {_COMMANDS[found[1]]}", named)
