"""Card personalization: from a print-ready record to a verified chip card."""
