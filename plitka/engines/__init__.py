"""The engines, which draw a layout as a picture: their protocol, the choice by name, and each one.

Imports: tile, weights, request, runtime, errors.
"""
