"""Threads, locks, interrupts and cancellation."""
