"""Formats that models come from and are saved to, one package each.

Reading raises `SourceError`, writing `SaveError`.
"""
