"""The double-entry ledger: accounts, transfers, custody as serial ranges, days."""
