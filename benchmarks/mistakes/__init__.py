"""The mistakes that public snippets of classifier-free guidance make, and what they cost where the truth is known.

    python -m benchmarks.mistakes

docs/mistakes.md tells of them and shows these functions. A file is one mistake: the wrong way, and `measure`, which
says what came of it and what comes of the right way.
"""
