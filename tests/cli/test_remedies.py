"""What a service says to programs reads as commands and examples at a shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cli import remedies
from cli.errors import as_dict, line
from cli.main import app
from services.common.errors import InvalidArgument, NotFound

DAY = "due: does not match regex pattern `^([0-9]{4}-[0-9]{2}-[0-9]{2})?$`"
PLACE = r"location: does not match regex pattern `^(ID|[0-9]{2}(\.[0-9]{2}(:[a-z0-9-]{1,32})?)?)$`"


def test_a_remedy_names_the_command_and_programs_get_the_call() -> None:
    fault = NotFound("LOAN_UNKNOWN", "There is no loan 7.", field="loan_id", remedy="Find it with ListLoans.")
    assert line(fault).endswith("→ Find it with tunggal loan list.")
    assert as_dict(fault)["error"]["remedy"] == "Find it with ListLoans."


def test_a_command_that_a_remedy_names_already_is_named_once() -> None:
    remedy = "Propose it with ProposeReversal (tunggal reversal propose); somebody else approves."
    assert remedies.at_a_shell(remedy) == "Propose it with tunggal reversal propose; somebody else approves."


@pytest.mark.parametrize(
    ("message", "said"), [(DAY, "due: is no day; write it as 2026-11-30"), (PLACE, "write ID, 32, 32.16 or")]
)
def test_a_field_is_refused_with_an_example_and_not_with_a_regular_expression(
    message: str, said: str
) -> None:
    fault = InvalidArgument("INVALID_FIELD", message, field="due", remedy=remedies._FIELDS)
    assert said in line(fault)
    assert "regex" not in line(fault)
    assert "field_violations" not in line(fault)


def test_a_pattern_that_has_no_example_stays_as_it_is() -> None:
    message = "chip_uid: does not match regex pattern `^([0-9A-F]{2}){4,10}$`"
    assert remedies.said_of(message) == message


def test_the_remedy_of_a_field_is_what_services_say() -> None:
    from services.common import validation

    assert remedies._FIELDS in Path(validation.__file__).read_text()


def test_every_command_that_is_told_exists() -> None:
    root = get_command(app)
    for command in remedies._COMMANDS.values():
        found = root
        for word in command.split():
            if re.fullmatch("[a-z][a-z-]*", word):
                found = found.commands[word]  # type: ignore[attr-defined]
        assert found.name
