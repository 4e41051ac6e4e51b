"""An existing SkyDriver database (v1 from 0.8, v2 to 2.4.1), read and turned into ours; and the way back.

It may use everything. The commands `skydriver import` and `skydriver export` and the Job of `knative/import/`
use it.
"""
