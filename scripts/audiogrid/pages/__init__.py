"""Pages for people: self-contained HTML files that need no network, no server and no other file.

``template`` renders them, ``charts`` lays out their plots, ``templates/`` holds markup, style and scripts.
"""
