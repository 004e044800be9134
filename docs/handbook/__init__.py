"""The documentation as a site, and the pages of it that are made from code.

`reference.py` writes docs/reference/, which is committed; `build.py` makes the site of all pages.
"""
