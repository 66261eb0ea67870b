"""Networks from files of any format, with their cards; the shipped and the released ones."""
