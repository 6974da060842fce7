"""A year in an hour: the real CA, PuppetDB, name server and Icinga, day after day.

What drives the product's hooks is `tests.year`; this package brings the systems up, moves their
clocks and measures what they keep.
"""
