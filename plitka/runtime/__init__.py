"""What a running process needs: the log, timing, memory, a worker thread, worker processes, a cache.

Imports: nothing of the project.
"""
