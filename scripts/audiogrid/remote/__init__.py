"""Recordings and results in object storage and on web servers: addresses, services, reading, listing, publishing."""
