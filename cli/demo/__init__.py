"""`tunggal demo`: one day of a regency, lived by the real services as processes."""
