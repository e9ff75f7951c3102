"""What is said of the magics, in a real kernel. A package, so that it has a conftest of its own."""
