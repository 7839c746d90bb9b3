"""The daily stock statement: what each location had, signed and chained to the day before, for everyone to
check.
"""
