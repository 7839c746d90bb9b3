"""What every service stands on: server builder, client channels, errors, database, audit, keys, TLS."""
