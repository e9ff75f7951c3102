"""The channel between a kernel and the pages that show its panel."""
