"""Reading and rewriting GraphDefs: walking, pruning, freezing, and what each operation does."""
