"""Schema migrations of enrolment."""
