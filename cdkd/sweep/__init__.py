"""A study file becomes cells, and cells become finished runs."""
