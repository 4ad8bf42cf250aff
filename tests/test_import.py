"""What `import lodestar` costs."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "datasets", "accelerate", "rich", "diffusers", "PIL", "tokenizers", "safetensors")


def loaded(code):
    """The heavy packages that are imported after this code."""
    show = f"import sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_alone_loads_nothing_heavy():
    assert loaded("import lodestar; lodestar.UsageError, lodestar.__version__") == set()


def test_using_all_of_it_loads_nothing_that_sampling_does_not_need():
    code = "import lodestar\nfor name in lodestar.__all__: getattr(lodestar, name)"
    assert not loaded(code) & {"transformers", "datasets", "accelerate", "rich", "diffusers"}
