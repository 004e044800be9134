"""The board's site: a folder of static pages and data that follows from a clone of the board."""
