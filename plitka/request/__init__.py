"""The request: params_json is read into a Recipe, and a Plan settles what it leaves open.

Imports: color.
"""
