"""The designer: a page in the browser on which tiles are mixed, seen, shared and photographed."""
