"""Student and teacher features become a loss: Eq. 3 to 7 of the paper."""
