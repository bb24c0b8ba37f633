"""Read the environment once into frozen dataclasses.

Nobody else touches ``os.environ``: a process either starts with settings that are right or
stops with the name of the one that is not.
"""
