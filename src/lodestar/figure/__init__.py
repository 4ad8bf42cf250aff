"""Figures of papers, drawn anew from exact data. `lodestar figure NAME` draws one.

mixture.py   the numbers of the CFG paper's Figure 2: targets, what is drawn instead, and how far apart they are
drawing.py   its picture, by matplotlib
"""
