"""The engines, which draw a layout as a picture: their protocol, the choice by name, and each one.

Imports: bank, weights, and what lies below them.
"""
