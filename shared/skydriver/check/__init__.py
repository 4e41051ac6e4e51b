"""What an installation lacks, in sentences: `inside` asks with its settings, `outside` by its address.

It may use everything, and nothing imports it.
"""
