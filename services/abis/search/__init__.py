"""1:N search of fingerprints in stages, over packed galleries that are mapped from files."""
