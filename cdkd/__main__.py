"""`python -m cdkd`, and `torchrun -m cdkd`: the command line without the console script."""

from cdkd.cli import main

main()
