"""A directory in place of a printer: PNG files of both faces and one PDF, for whoever prints them."""

from __future__ import annotations

import os
from pathlib import Path

from services.cardperso.face import pdf
from services.cardperso.face.render import Faces
from services.cardperso.printing.printer import PrinterOffline


class SpoolPrinter:
    """Writes faces to `directory`. A file is there whole or not at all, and nobody else may read it."""

    def __init__(self, directory: Path, dpi: int) -> None:
        self._directory = directory
        self._dpi = dpi

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
        contents = {f"{name}-front.png": faces.front, f"{name}-back.png": faces.back, f"{name}.pdf": document}
        for file, content in contents.items():
            try:
                self._write(self._directory / file, content)
            except OSError as error:
                raise PrinterOffline(str(self._directory), str(error.strerror)) from None

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        unfinished = path.with_name(f".{path.name}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
