"""Memory of models: the budget, eviction, parking, and who holds on."""
