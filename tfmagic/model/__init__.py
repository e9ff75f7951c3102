"""What a model is: signature, room, sources, registry; knows no IPython."""
