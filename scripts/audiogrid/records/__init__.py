"""What one job leaves on disk for another: the schema of each document, and how it is read and written."""
