"""The panel: records of the runtime, drawn as text, HTML and widget."""
