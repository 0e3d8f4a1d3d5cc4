"""Packages for archives: a run as a bag (BagIt) with RO-Crate, IIIF manifests and METS."""
