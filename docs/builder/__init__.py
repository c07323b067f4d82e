"""Documents that follow from the model files, the rows and the code, a module each; `docs.build` writes them."""
