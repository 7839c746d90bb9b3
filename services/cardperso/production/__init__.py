"""The production floor: stations take the cards of batches, second persons review what was spoiled."""
