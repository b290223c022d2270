"""Where numbers go to and come back from."""
