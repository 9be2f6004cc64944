"""What a running process needs: log, timing, memory, worker thread and processes, a cache.

Imports: nothing of the project.
"""
