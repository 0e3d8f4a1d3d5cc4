"""Stage ``merge``: from the results of chunks to the document of a recording."""
