"""Where each operation ran: step statistics, partition graphs, the eager profiler."""
