"""Taking back what was booked: alone while nobody relies on it, by two people afterwards."""
