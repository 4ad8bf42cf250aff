"""Every module in the folders below is imported, so a new rule is one new file.

The folders:
    subtract/  away from another prediction       when/     where in the noise another rule acts
    combine/   what becomes of a guided one       several/  more than two predictions       others/  the rest
"""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
