"""What a server needs around the engine: the gateway, folders for pictures, and health.

Imports: engines.base, runtime, images, errors; gateway.py, a face of the program, also settings.
"""
