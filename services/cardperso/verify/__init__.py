"""A card as a reader sees it: prove to know its keys, read everything, check who signed it."""

from services.cardperso.verify.passive import Trust
from services.cardperso.verify.result import Finding, Problem, Verification
from services.cardperso.verify.verification import verify_card

__all__ = ["Finding", "Problem", "Trust", "Verification", "verify_card"]
