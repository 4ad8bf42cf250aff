"""Which columns of a data set hold the image, the caption and the class, and what else a model may be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError, unknown

if TYPE_CHECKING:
    from datasets import Features

_AFTER = ("edited_image", "target_image", "target_img", "output_image")  # of an edit
_IMAGES = ("image", "img", "picture", "png", "jpg", "jpeg", "webp", *_AFTER)
_SAID = ("edit_prompt", "instruction")  # of an edit
_CAPTIONS = ("text", "caption", "captions", "txt", "prompt", "description", "sentence", "sentences", "alt_text", *_SAID)
_LABELS = ("label", "labels", "class", "category", "fine_label", "target", "cls")
_NOT_CAPTIONS = ("id", "url", "path", "file", "file_name", "filename", "split", "license", "__key__", "__url__")


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None where there is none."""

    image: str
    caption: str | None
    label: str | None
    every: tuple[str, ...] = ()  # all columns there are
    before: str | None = None  # pictures that stand beside the images
    vector: str | None = None

    @property
    def used(self) -> list[str]:
        return [name for name in (*self.pictures, self.caption, self.label, self.vector) if name]

    @property
    def pictures(self) -> list[str]:
        """The images first."""
        return [name for name in (self.image, self.before) if name]


def choose(
    features: Features,
    *,
    image: str | None = None,
    caption: str | None = None,
    label: str | None = None,
    before: str | None = None,
    vector: str | None = None,
) -> Columns:
    """Take the columns asked for, else the ones that the names and types make plain; `before` and `vector` if asked.

    Raises UsageError for a name that is not there or holds something else, and where the choice is the user's to make.
    """
    _present(features, image=image, caption=caption, label=label, before=before, vector=vector)
    image = image or _image({n: feature for n, feature in features.items() if n != before})
    label = label or _label(features)
    caption = caption or _caption(features, label)
    if not _is_image(features[image]):
        raise UsageError(f"column '{image}' does not hold images: choose another with --image-column")
    if caption and not _is_text(features[caption]):
        raise UsageError(f"column '{caption}' does not hold text: choose another with --caption-column")
    if label and not _is_class(features[label]):
        raise UsageError(f"column '{label}' does not hold classes: choose another with --label-column")
    if before and not _is_image(features[before]):
        raise UsageError(f"column '{before}' does not hold images: choose another with --before-column")
    if before == image:
        raise UsageError(f"column '{before}' holds the images themselves: choose another with --before-column")
    if vector and not _is_vector(features[vector]):
        raise UsageError(f"column '{vector}' does not hold lists of numbers: choose another with --vector-column")
    return Columns(image, caption, label, tuple(features), before, vector)


def _present(features: Features, **asked: str | None) -> None:
    for kind, name in asked.items():
        if name is not None and name not in features:
            raise unknown(f"{kind} column", name, features)


def _image(features: Mapping[str, object]) -> str:
    found = _named(features, _IMAGES, _is_image) or [n for n in features if _is_image(features[n])]
    if not found:
        raise UsageError(f"there is no image column (columns: {', '.join(features)}): name it with --image-column")
    return found[0]


def _label(features: Features) -> str | None:
    from datasets import ClassLabel

    found = _named(features, _LABELS, _is_class) or [n for n in features if isinstance(features[n], ClassLabel)]
    return found[0] if found else None


def _caption(features: Features, label: str | None) -> str | None:
    known = _named(features, _CAPTIONS, _is_text)
    if len(known) > 1:
        raise UsageError(f"several columns may hold the captions ({', '.join(known)}): choose with --caption-column")
    others = [n for n in features if _is_text(features[n]) and n != label and n.lower() not in _NOT_CAPTIONS]
    if known or (len(others) == 1 and label is None):
        return (known or others)[0]
    return None


def _named(features: Mapping[str, object], names: tuple[str, ...], fits: Callable[[object], bool]) -> list[str]:
    """Columns of these names, in the order of the names, that hold what fits."""
    lower = {n.lower(): n for n in features}
    return [lower[n] for n in names if n in lower and fits(features[lower[n]])]


def _is_image(feature: object) -> bool:
    from datasets import Image

    if isinstance(feature, Image) or (isinstance(feature, Mapping) and "bytes" in feature):
        return True
    return getattr(feature, "dtype", None) in ("binary", "large_binary")


def _is_text(feature: object) -> bool:
    inner = getattr(feature, "feature", feature)  # a list of captions for each image is text too
    return getattr(inner, "dtype", None) in ("string", "large_string")


def _is_vector(feature: object) -> bool:
    return str(getattr(getattr(feature, "feature", None), "dtype", "")).startswith(("float", "int", "uint"))


def _is_class(feature: object) -> bool:
    dtype = str(getattr(feature, "dtype", ""))
    return dtype.startswith(("int", "uint")) or dtype in ("string", "large_string", "bool")
