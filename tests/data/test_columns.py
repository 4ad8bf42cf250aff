import pytest
from datasets import ClassLabel, Features, Image, List, Value

from lodestar.data.columns import choose
from lodestar.errors import UsageError

TEXT, NUMBER = Value("string"), Value("int64")


def chosen(features: dict, **asked: str) -> tuple[str, str | None, str | None]:
    columns = choose(Features(features), **asked)
    return columns.image, columns.caption, columns.label


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"img": Image(), "label": ClassLabel(names=["a"])}, ("img", None, "label")),
        ({"image": Image(), "text": TEXT}, ("image", "text", None)),
        ({"image": Image(), "words": TEXT}, ("image", "words", None)),
        ({"image": Image(), "url": TEXT}, ("image", None, None)),
        ({"image": Image(), "words": TEXT, "other": TEXT}, ("image", None, None)),
        ({"image": Image(), "Caption": List(TEXT), "url": TEXT}, ("image", "Caption", None)),
        ({"photo": Image(), "sort": ClassLabel(names=["a"])}, ("photo", None, "sort")),
        ({"image": Image(), "label": TEXT}, ("image", None, "label")),
        ({"image": Image(), "score": NUMBER}, ("image", None, None)),
        ({"image": {"bytes": Value("binary"), "path": TEXT}, "label": NUMBER}, ("image", None, "label")),
        ({"data": Value("binary")}, ("data", None, None)),
    ],
)
def test_plain_cases_choose_themselves(features, expected):
    assert chosen(features) == expected


def test_what_is_asked_for_is_taken():
    features = {"image": Image(), "mask": Image(), "text": TEXT, "alt": TEXT, "label": NUMBER, "group": NUMBER}
    assert chosen(features, image="mask", caption="alt", label="group") == ("mask", "alt", "group")


@pytest.mark.parametrize(
    ("features", "asked", "message"),
    [
        ({"image": Image(), "text": TEXT, "caption": TEXT}, {}, "text, caption.*--caption-column"),
        ({"image": Image(), "text": TEXT}, {"caption": "txet"}, "unknown caption column 'txet'.*'text'"),
        ({"image": Image(), "n": NUMBER}, {"caption": "n"}, "'n' does not hold text"),
        ({"image": Image(), "x": Value("float32")}, {"label": "x"}, "'x' does not hold classes"),
        ({"image": Image(), "text": TEXT}, {"image": "text"}, "'text' does not hold images"),
        ({"text": TEXT}, {}, "no image column.*text"),
    ],
)
def test_what_is_not_plain_is_asked_for(features, asked, message):
    with pytest.raises(UsageError, match=message):
        chosen(features, **asked)
