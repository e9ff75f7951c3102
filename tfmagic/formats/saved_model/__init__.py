"""SavedModel folders: read, write, restore plans, the code that loads one."""
