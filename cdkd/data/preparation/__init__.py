"""Published videos become MPEG-4 with a manifest; finished work survives a kill."""
