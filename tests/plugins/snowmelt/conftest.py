"""The cloud in memory, for all tests below."""

from tests.plugins.snowmelt.fixtures import deferrable, no_network, world

__all__ = ["deferrable", "no_network", "world"]
