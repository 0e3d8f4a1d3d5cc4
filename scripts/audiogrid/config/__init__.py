"""The configuration: its schema, defaults and checks, and the parts that need parsing (routes, variants)."""
