"""`verify`: the checks of an entry, and what each reads."""
