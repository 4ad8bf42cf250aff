"""Files of points, as a page that can be read: `lodestar report`.

content.py    what the files say: rows, a point each, in lines, under columns
pareto.py     which points no other one beats
panels.py     what is drawn, whoever draws it
plots.py      panels as plotly's figures, for the page; drawing.py, as a PNG, by matplotlib
strips.py     the pictures of points, small enough for a page
page.py       the page: one HTML file that loads nothing; page.css and page.js are its style and what it does
sheet.py      all numbers as CSV
"""
