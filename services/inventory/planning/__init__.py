"""What will run out where and when, who gets how much of what is there, and which targets can be met."""
