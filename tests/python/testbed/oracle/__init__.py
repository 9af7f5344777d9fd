"""An independent judge: are two collections equal, down to every bit of every value?

It reads in its own way: first all primary keys of a partition (a Query without a limit answers with everything),
sorted here; then pages between two keys, again without a limit, so that no order and no limit of a server is trusted.
"""
