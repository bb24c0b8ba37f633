"""Our HTTP user beside those of Locust, before servers that record, and servers that attack.

Users run in processes of their own (``child.py``), which ``player.py`` starts: importing Locust
makes waiting gevent's, which pytest-xdist does not survive.

``scenarios``, ``table.py``   what users are asked to do, and where they differ by intention
``recorder.py``, ``stage.py`` what a server saw, and what a user got and reported
``attacks``, ``hostile.py``   what servers must not do, and what must come of it; ``siege.py``
``messages.py``, ``speaker.py`` answers made at random, in parts that arrive as they were cut
``storm.py``                  many requests at once, and broken off
"""
