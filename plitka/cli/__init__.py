"""The command line: python -m plitka COMMAND.

A face of the program: imports whatever a command needs, when that command runs.
"""
