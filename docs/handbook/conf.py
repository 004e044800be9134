"""How Sphinx makes the site. `build.py` lays the pages out and calls it."""

from harness import __version__

project = "mst-bench"
author = "the mst-bench contributors"
release = __version__
root_doc = "index"
extensions = ["myst_parser"]

# Markdown as the forge shows it: titles are anchors, and a name in a link is a path.
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.header"]  # a page may begin below the first level

# What a page is made of lies beside it: no fonts, scripts or styles of anybody else.
html_theme = "furo"
html_title = "mst-bench"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "footer_icons": [],
    "light_css_variables": {"color-brand-primary": "#0b6e99", "color-brand-content": "#0b6e99"},
    "dark_css_variables": {"color-brand-primary": "#6cb8dd", "color-brand-content": "#6cb8dd"},
}
