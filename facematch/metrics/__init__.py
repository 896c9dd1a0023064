"""Statistics of comparisons in pure numpy: no files, no printing, no torch."""

import lazy_loader

# What is here, and from which module, says __init__.pyi; each is loaded when it is asked for,
# because a decision needs a small part of it.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
