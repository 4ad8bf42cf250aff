"""Real pictures are looked at once, and known again by all that their numbers depend on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benches import Coloured, Colours

from lodestar.errors import UsageError
from lodestar.measure.metrics import Moments
from lodestar.measure.reference import folder, from_moments, key, reference


def test_it_is_read_from_the_cache_the_second_time(tmp_path: Path) -> None:
    looked: list[int] = []
    source = Coloured(looked=looked)
    first = reference(source, Colours(), data="coloured", n=150, cache=tmp_path)
    assert len(looked) == 2
    assert first.moments.n == 150
    assert len(list(tmp_path.iterdir())) == 1
    again = reference(source, Colours(), data="coloured", n=150, cache=tmp_path)
    assert len(looked) == 2
    assert again.moments.mean.equal(first.moments.mean)
    assert again.moments.scatter.equal(first.moments.scatter)
    assert again.features is not None
    assert first.features is not None
    assert again.features.equal(first.features)
    assert again.own is not None
    assert first.own is not None
    assert again.own.equal(first.own)
    assert (again.size, again.colours, again.name) == (first.size, first.colours, first.name)


@pytest.mark.parametrize(
    "other",
    [
        {"source": Coloured(seed=1)},
        {"n": 100},
        {"data": "others"},
        {"detector": replace(Colours(), digest="another")},
        {"detector": replace(Colours(), resize="bicubic")},
    ],
    ids=["data", "number", "name", "weights", "resize"],
)
def test_what_changes_the_numbers_is_looked_at_anew(tmp_path: Path, other: dict[str, object]) -> None:
    asked = {"source": Coloured(), "detector": Colours(), "data": "coloured", "n": 150, "cache": tmp_path}
    for options in (asked, {**asked, **other}):
        reference(options.pop("source"), options.pop("detector"), **options)  # type: ignore[arg-type, call-overload]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    first = reference(Coloured(), Colours(), data="coloured", n=100, cache=tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    again = reference(Coloured(), Colours(), data="coloured", n=100, cache=tmp_path)
    assert again.moments.mean.equal(first.moments.mean)
    assert reference(Coloured(looked=(looked := [])), Colours(), data="coloured", n=100, cache=tmp_path)
    assert not looked


def test_changed_files_are_other_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"1")
    before = reference(Coloured(), Colours(), data=str(data), n=50)
    (data / "a.png").write_bytes(b"22")
    after = reference(Coloured(), Colours(), data=str(data), n=50)
    assert key(before.facts) != key(after.facts)


def test_of_fewer_pictures_than_asked_all_are_taken() -> None:
    assert reference(Coloured(70), Colours(), data="coloured", n=1000).moments.n == 70


def test_published_statistics_are_read(tmp_path: Path) -> None:
    mu, sigma = np.arange(12.0), 2 * np.eye(12)
    np.savez(tmp_path / "stats.npz", mu=mu, sigma=sigma)
    found = from_moments(tmp_path / "stats.npz", Colours())
    assert found.moments.mean.equal(torch.arange(12.0).double())
    assert found.real is None
    assert found.moments.covariance.allclose(2 * torch.eye(12).double())
    assert found.moments.n == 50_000
    np.savez(tmp_path / "other.npz", mu=np.zeros(5), sigma=np.eye(5))
    with pytest.raises(UsageError, match=r"another detector than 'colours' of 12 columns: \[5\] and \[5, 5\]"):
        from_moments(tmp_path / "other.npz", Colours())
    np.savez(tmp_path / "none.npz", images=np.zeros(5))
    with pytest.raises(UsageError, match="no statistics 'mu' and 'sigma'"):
        from_moments(tmp_path / "none.npz", Colours())
    np.savez(tmp_path / "nan.npz", mu=mu * np.nan, sigma=sigma)
    with pytest.raises(UsageError, match="must be finite"):
        from_moments(tmp_path / "nan.npz", Colours())


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LODESTAR_CACHE", raising=False)
    assert folder() == tmp_path / "lodestar"
    monkeypatch.setenv("LODESTAR_CACHE", str(tmp_path / "here"))
    assert folder() == tmp_path / "here"


def test_the_covariance_is_that_of_the_features() -> None:
    found = reference(Coloured(), Colours(), data="coloured", n=150)
    assert found.features is not None
    assert found.moments.covariance.allclose(Moments.of(found.features).covariance)
