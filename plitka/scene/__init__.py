"""Scenes whose floor is laid with a ground, and one's own photo with a floor laid into it.

Imports: ground, images, and what lies below them.
"""
