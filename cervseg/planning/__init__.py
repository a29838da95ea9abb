"""From a dataset and a machine to a plan: fingerprint, hardware, and one named rule a decision.

``fingerprint`` measures the images, ``hardware`` the machine, ``planner`` puts the ``rules`` together with
the numbers in ``sizes`` and with what differs between ``families`` of networks; ``settings`` changes values
by hand, ``checks`` refuses what cannot work, ``planfile`` reads and writes plans, and ``table`` prints them.
"""
