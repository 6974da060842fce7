"""What each service is to be: one YAML file per service, typed and closed."""

from include.catalogue.loader import (
    CatalogueError,
    Problem,
    load_service,
    service_names,
)
from include.catalogue.model import Service

__all__ = ["CatalogueError", "Problem", "Service", "load_service", "service_names"]
