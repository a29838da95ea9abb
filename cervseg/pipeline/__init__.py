"""READ FIRST. Every stage of cervseg, one step per line; only these modules join the rooms.

    raw images -> fingerprint -> plan -> cache -> network -> masks -> scores

One module per command: :mod:`.plan`, :mod:`.train`, :mod:`.predict`, :mod:`.evaluate`, :mod:`.compare`,
:mod:`.agree`, :mod:`.explain`, :mod:`.export` and :mod:`.trainers`. Nothing is imported here: planning and
evaluation start worker processes, which must not carry torch.
"""
