"""A model's room: the names that its cells see, and the errors of a broken graph."""
