"""`python -m cdkd.cli`: the same command line without the console script."""

from cdkd.cli import main

main()
