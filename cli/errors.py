"""Every expected fault ends a command with one clear line and exit code 1, never with a traceback."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import grpc
import typer
from pydantic import ValidationError
from rich.console import Console

from cli.exit_codes import ERROR
from cli.remedies import at_a_shell, said_of
from services.common.errors import ConfigurationError, InvalidArgument, TunggalError, remote_error

#: What a message says of a number that has no room in its field.
_TOO_LARGE = "Value out of range: "

P = ParamSpec("P")
R = TypeVar("R")


def readable(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command: typed errors, gRPC errors, wrong settings become one line on stderr, exit code 1.

    A command that was asked for JSON gets its error as one JSON object, on stderr as well.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TunggalError as error:
            fault = error
        except grpc.RpcError as error:
            fault = remote_error(error)
        except ValidationError as error:
            fault = _of_settings(error)
        except ConfigurationError as error:
            fault = _SetupError("NOT_CONFIGURED", str(error))
        except ModuleNotFoundError as error:
            fault = missing_extra(error, "abis,cardperso,sim")
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            fault = _SetupError("FILE_UNUSABLE", f"{error.strerror or error}{where}")
        except UnicodeEncodeError:
            fault = _NOT_TEXT
        except ValueError as error:
            if not str(error).startswith(_TOO_LARGE):
                raise
            fault = _too_large(str(error).removeprefix(_TOO_LARGE))
        tell(fault, as_json=kwargs.get("as_json") is True)
        raise typer.Exit(ERROR)

    return wrapped


def tell(fault: TunggalError, *, as_json: bool) -> None:
    """Print the fault on stderr, as one line or as one JSON object."""
    Console(emoji=False, stderr=True, soft_wrap=True, highlight=False).print(
        json.dumps(as_dict(fault)) if as_json else line(fault), markup=False
    )


def missing_extra(error: ModuleNotFoundError, extras: str) -> TunggalError:
    """The fault of a command whose libraries are not installed; `extras` would bring them."""
    return _SetupError(
        "EXTRA_MISSING",
        f"this needs the Python package {error.name!r}, which is not installed",
        remedy=f"Install it with: pip install 'tunggal[{extras}]'",
    )


def line(error: TunggalError) -> str:
    """The fault as one line: reason, message, field and remedy, in the words of a shell."""
    origin = f" [{error.domain}]" if error.domain else ""
    field = f" (field {error.field})" if error.field else ""
    remedy = f" → {at_a_shell(error.remedy)}" if error.remedy else ""
    return re.sub(r"\s+", " ", f"error: {error.reason}{origin}: {said_of(error.message)}{field}{remedy}")


def as_dict(error: TunggalError) -> dict[str, dict[str, str | None]]:
    """The fault for programs."""
    return {
        "error": {
            "code": error.code.name,
            "reason": error.reason,
            "service": error.domain or None,
            "message": error.message,
            "field": error.field,
            "remedy": error.remedy,
        }
    }


class _SetupError(TunggalError):
    code = grpc.StatusCode.FAILED_PRECONDITION


_NOT_TEXT = InvalidArgument(
    "TEXT_UNREADABLE",
    "an argument is no text in UTF-8",
    remedy="Type it again in a terminal that uses UTF-8.",
)


def _too_large(number: str) -> InvalidArgument:
    return InvalidArgument(
        "NUMBER_TOO_LARGE",
        f"{number} is more than any number here can be",
        remedy="Check its digits; nothing was sent.",
    )


def _of_settings(error: ValidationError) -> TunggalError:
    first = error.errors()[0]
    name = "TUNGGAL_" + "_".join(str(part) for part in first["loc"]).upper()
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return _SetupError(
        "SETTING_INVALID",
        f"{first['msg']}{more}",
        field=name,
        remedy=f"Set {name} in the environment; docs/configuration.md lists every setting and its default.",
    )
