"""What is made of a scan's result: a probability map, regions, files, pictures, the draft of a notice.

Pure functions: results and options in, numbers and bytes out; the same input gives the same bytes. Angles
are in degrees, ICRS, unless a name or docstring says otherwise; `llh` is -ln(likelihood), as scanners send
it: icecube/skymap_scanner takes the least as best, and icecube/skyreader doubles it for Wilks' theorem.
"""
