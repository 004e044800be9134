"""A board's repository under git: what is signed, pushed, remembered and compared."""
