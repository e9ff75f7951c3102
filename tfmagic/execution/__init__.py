"""How one model runs: its signature, its room of names, and the backend behind them."""
