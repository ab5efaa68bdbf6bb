"""What comes after the backbone, one head a file: from token embeddings to the embeddings of a text.

A head is called with the backbone's output, the batch, and the side that its texts are of.
"""
