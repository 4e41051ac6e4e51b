"""MongoDB: one module a collection. The only room that knows queries."""
