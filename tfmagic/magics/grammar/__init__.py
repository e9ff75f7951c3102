"""The grammar of tfmagic's lines: options, sources, expressions, destinations."""
