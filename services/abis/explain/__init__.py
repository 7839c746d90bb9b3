"""What the extractor and the matcher saw, step by step, as a page for adjudicators and engineers."""
