"""Drawing: tables, charts, units and sentences, as text and HTML."""
