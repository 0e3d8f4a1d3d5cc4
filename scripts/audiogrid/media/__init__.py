"""Any media file to 16 kHz samples, and the probability of speech in them."""
