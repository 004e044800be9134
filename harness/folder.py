"""Names of the files in OUT/<plan id>."""

ENTRY, MANIFEST = "entry.dsse.json", "manifest.json"
