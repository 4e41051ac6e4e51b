"""What every REST route needs: endpoint, authentication, arguments, responses, views, OpenAPI document.

It may use the scanner, workers, eventing and what stands below those; `lifecycle` is its neighbour.
"""
