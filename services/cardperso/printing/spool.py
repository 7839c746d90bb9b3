"""A directory in place of a printer: PNG files of both faces and one PDF, for whoever prints them.

They show a person, so they are sealed with the service's keyring unless a program has to find them plain, and
they are deleted when their card has left the house.
"""

from __future__ import annotations

import os
from pathlib import Path

from services.cardperso.face import pdf
from services.cardperso.face.render import Faces
from services.cardperso.printing.printer import PrinterOffline
from services.common.crypto import KeyRing
from services.common.errors import DataLoss

SEALED = ".sealed"
"""Ends the names of sealed files: the id of the key, a line break, the sealed content."""
_ENDINGS = ("-front.png", "-back.png", ".pdf")


class SpoolPrinter:
    """Writes faces to `directory`. A file is there whole or not at all, and nobody else may read it.

    Args:
        directory: where.
        dpi: dots per inch.
        keys: seals the files; None writes them plain.
    """

    def __init__(self, directory: Path, dpi: int, keys: KeyRing | None) -> None:
        self._directory = directory
        self._dpi = dpi
        self._keys = keys

    @property
    def dpi(self) -> int:
        """Dots per inch that it wants."""
        return self._dpi

    def check(self) -> None:
        """See that the directory can be written.

        Raises:
            PrinterOffline: it cannot.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise PrinterOffline(str(self._directory), str(error.strerror)) from None
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise PrinterOffline(str(self._directory), "it may not be written")

    def print(self, name: str, faces: Faces) -> None:
        """Write `name`-front.png, `name`-back.png and `name`.pdf; what is there already is written again,
        which is the same.

        Raises:
            PrinterOffline: the disk is full, or the directory is gone.
        """
        self.check()
        document = pdf.document([faces.front, faces.back])
        for ending, content in zip(_ENDINGS, (faces.front, faces.back, document), strict=True):
            file = f"{name}{ending}"
            try:
                if self._keys is None:
                    _write(self._directory / file, content)
                else:
                    sealed = self._keys.seal(content, _bound_to(file))
                    _write(
                        self._directory / f"{file}{SEALED}", b"%s\n%s" % (sealed.key_id.encode(), sealed.blob)
                    )
            except OSError as error:
                raise PrinterOffline(str(self._directory), str(error.strerror)) from None

    def kept(self) -> list[str]:
        """Names of the cards of which there is something here."""
        if not self._directory.is_dir():
            return []
        files = (path.name.removesuffix(SEALED) for path in self._directory.iterdir())
        return sorted(
            {file.removesuffix(ending) for file in files for ending in _ENDINGS if file.endswith(ending)}
        )

    def forget(self, name: str) -> None:
        """Delete what there is of a card."""
        for ending in _ENDINGS:
            for sealed in ("", SEALED):
                (self._directory / f"{name}{ending}{sealed}").unlink(missing_ok=True)
                (self._directory / f".{name}{ending}{sealed}").unlink(missing_ok=True)


def unseal(path: Path, keys: KeyRing) -> bytes:
    """The content of a sealed file, whose name must be the one that it was written under.

    Raises:
        DataLoss: it is no sealed file, was changed or renamed, or its key is missing.
        OSError: it cannot be read.
    """
    key_id, line_break, blob = path.read_bytes().partition(b"\n")
    if not line_break or not path.name.endswith(SEALED) or not key_id.isalnum():
        raise DataLoss(
            "FILE_NOT_SEALED", f"{path} is no sealed file.", remedy=f"Name a file that ends in {SEALED}."
        )
    return keys.open(key_id.decode(), blob, _bound_to(path.name.removesuffix(SEALED)))


def _bound_to(file: str) -> bytes:
    return f"spool/{file}".encode()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
