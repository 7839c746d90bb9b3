"""Stock on its way: requisitions, allocations, shipments, loans, event sites, refusals at a counter."""
