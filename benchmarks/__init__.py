"""Lodestar side by side with its peers: `python -m benchmarks [names] [--quick]`, results in benchmarks/results/.

    sampling    guided sampling of scenes-32, and a guided step against an unguided one
    training    held-out loss after equal wall time, against diffusers' UNet2DConditionModel of as many parameters
    importing   `import lodestar` against `import torch`, as whole processes
    metrics     Frechet and kernel distance, precision and recall, against torch-fidelity and plain numpy and scipy

Both sides run in one process, turn and turn about (A B A B), on a machine that does nothing else. `GPU.md` lists
what is to be run on a machine with a GPU.
"""
