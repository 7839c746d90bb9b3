"""What a chip holds: the profile of its files, the plan of their content, writing and reading back."""
