"""What this machine offers for decoding, and checks that it works."""
