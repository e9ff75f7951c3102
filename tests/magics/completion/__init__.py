"""Tab in the magics' lines, in a shell of this process."""
