"""`scenes`: the embedded world of captioned pictures, and its exact reader."""
