"""The dashboard: pages, forms and sessions of people, templates and static files.

It may use `rest` and what stands below that. What happens to a scan is the business of `functions/ui`, which
call `lifecycle` as those of the interface do.
"""
