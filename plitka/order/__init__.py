"""What to buy for a floor: areas and shares -> kilograms and bags of each colour, and of binder.

Imports: messages. All arithmetic is decimal, so that no rounding error ever makes a bag more.
"""
