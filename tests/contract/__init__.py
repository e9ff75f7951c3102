"""What tfmagic promises wherever it is installed: a few dozen cells in a real kernel. ``make matrix`` runs them."""
