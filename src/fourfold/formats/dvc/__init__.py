"""The file formats of DVC 3, as DVC 3.67.1 writes them."""
