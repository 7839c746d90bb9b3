"""Enrolment: a person's record from capture to the print-ready queue, in order of arrival."""
