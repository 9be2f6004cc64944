"""What people are told in their language: messages, errors that hold them, and their Russian.

Imports: nothing.
"""
