"""Trains, measures and exports the clothing model that Vitrine ships."""
