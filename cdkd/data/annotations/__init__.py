"""Published annotation files become rows: one file per format, and the table of known data sets."""
