"""Memory of this process, its control group and its machine, and giving memory back."""
