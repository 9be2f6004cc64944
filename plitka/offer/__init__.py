"""An offer for a customer: one HTML file, a PDF and a table of what to order, of one recipe.

Imports: order, tile and what lies below it, images, pdf. Pictures come ready made.
"""
