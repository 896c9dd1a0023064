"""One module per verb: ports in, one frozen result out. They never import each other."""
