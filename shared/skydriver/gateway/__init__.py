"""One host for all routes: the route table, a proxy to the function of a route, and HTTPRoutes for gateways.

It may use the runtime and what stands below that. It knows no database.
"""
