"""Faces on their way to a card: spooled to a directory, or printed by CUPS."""

from services.cardperso.printing.printer import CardPrinter, NoPrinter
from services.cardperso.printing.retention import Retention
from services.cardperso.printing.spool import SpoolPrinter

__all__ = ["CardPrinter", "NoPrinter", "Retention", "SpoolPrinter"]
