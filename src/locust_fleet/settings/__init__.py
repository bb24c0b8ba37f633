"""Read the environment once into frozen dataclasses.

A process starts with correct settings, or stops with the name of a wrong one. Nothing outside this
package reads a variable; commands pass ``os.environ`` to ``from_env``.
"""
