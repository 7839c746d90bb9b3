"""Biometric data interchange formats, one module per standard."""
