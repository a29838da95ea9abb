"""Planning: from a dataset and a machine to a plan, with one named rule per decision.

``fingerprint`` measures the images and ``hardware`` the machine. ``planner`` asks the ``rules``, which use
the numbers in ``constants`` and the differences between ``families`` of networks. ``settings`` applies the
user's values, ``checks`` refuses invalid ones, ``planfile`` reads and writes plans, and ``table`` prints
them.
"""
