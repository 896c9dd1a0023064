"""Templates on their way between galleries and programs, in three forms that lose nothing.

HDF5 for any number of templates, CSV with an NPZ beside it for spreadsheets and numpy, JSON for
everything else. Each holds every field of every reference, the list of different people, and
the model; the modules specify them.
"""

from facematch.gallery.exchange.hdf5 import require_templates_place, write_templates
from facematch.gallery.exchange.json_form import write_json
from facematch.gallery.exchange.opening import import_templates
from facematch.gallery.exchange.records import TemplateSet, templates_of
from facematch.gallery.exchange.table import arrays_beside, write_table

__all__ = [
    "TemplateSet",
    "arrays_beside",
    "import_templates",
    "require_templates_place",
    "templates_of",
    "write_json",
    "write_table",
    "write_templates",
]
