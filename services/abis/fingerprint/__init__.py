"""Fingerprints: from an image to a template (`extract`), from two templates to a score (`compare`)."""
