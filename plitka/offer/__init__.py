"""An offer for a customer: one HTML file, a PDF and a table of what to order, of one recipe.

Imports: ground and what lies below it, order, images, pdf. Pictures come ready made.
"""
