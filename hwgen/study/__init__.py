"""Studies: what a trained network costs and how often it errs, over what can be chosen.

They measure; :mod:`hwgen.report.study` shows.
"""
