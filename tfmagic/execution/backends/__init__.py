"""What runs a model: a graph in the session, or eager calls of a live object."""
