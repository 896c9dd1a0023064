"""The gallery: one HDF5 file of references and their templates, and search over it."""

from facematch.gallery.exchange import (
    TemplateSet,
    arrays_beside,
    import_templates,
    require_templates_place,
    templates_of,
    write_json,
    write_table,
    write_templates,
)
from facematch.gallery.integrity import IntegrityReport
from facematch.gallery.names import normalize_subject
from facematch.gallery.reader import Gallery, SubjectSummary
from facematch.gallery.search import SearchResult, search
from facematch.gallery.writer import GalleryWriter

__all__ = [
    "Gallery",
    "GalleryWriter",
    "IntegrityReport",
    "SearchResult",
    "SubjectSummary",
    "TemplateSet",
    "arrays_beside",
    "import_templates",
    "normalize_subject",
    "require_templates_place",
    "search",
    "templates_of",
    "write_json",
    "write_table",
    "write_templates",
]
