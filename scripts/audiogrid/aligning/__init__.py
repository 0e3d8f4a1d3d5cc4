"""Stage ``align``: texts judged against audio. Times for the words of a given text, and names from a glossary."""
