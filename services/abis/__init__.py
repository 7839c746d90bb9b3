"""Automated biometric identification: references, galleries, 1:1 and 1:N comparison of opaque subjects."""
