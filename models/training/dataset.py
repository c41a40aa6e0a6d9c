"""Features, sentences and splits on disk, as tensors."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

POOLED, CLASSES, SENTENCE = 2048, 1000, 384
HELD_OUT_PERCENT = 25


@dataclass
class PhotoSet:
    """Row for row: roots of pooled features [n, 2048] and logits [n, 1000]; `views` holds such pairs for the plain photos and their variants."""

    pooled: torch.Tensor
    logits: torch.Tensor
    views: list
    captions: list  # per photo, indices of its sentences
    originals: list


class Dataset:
    def __init__(self, features_dir: str, photos_dir: str):
        self.features = Path(features_dir)
        described = json.loads((self.features / "texts.json").read_text())
        self.index_of = {text: i for i, text in enumerate(described["texts"])}
        self.sentences = torch.from_numpy(self._read("texts", SENTENCE))
        self.described = described["photos"]
        self.imagenet = [self._indices(prompts) for prompts in described["imagenet"]]
        self.flickr = self._photo_set("flickr8k")
        self.coco = self._photo_set("coco_val")
        self.caltech = self._photo_set("caltech101")
        self.splits = self._flickr_splits(Path(photos_dir))

        folders = sorted(described["caltech101"])
        self.caltech_prompts = [self._indices(described["caltech101"][folder]) for folder in folders]
        self.caltech_class = torch.tensor([folders.index(name.split("/")[0]) for name in self.caltech.originals])
        self.caltech_held_out = torch.tensor([held_out(name) for name in self.caltech.originals])

        concepts = described["concepts"]
        self.concept_prompts = [self._indices(concept["prompts"]) for concept in concepts]
        vocabularies = [set(concept["words"]) for concept in concepts]
        # How many of a photo's captions name each concept: [photos, concepts].
        self.mentions = torch.stack([mentions_in(photo, vocabularies) for photo in self.described["flickr8k"]])
        # Whether a Caltech-101 class may show each concept: [classes, concepts].
        phrases = [described["caltech101"][folder][1] for folder in folders]
        self.class_shows = torch.stack([mentions_in({"captions": [p]}, vocabularies) > 0 for p in phrases])
        self.class_shows[["person" in phrase for phrase in phrases]] = True

    def _read(self, name: str, width: int) -> np.ndarray:
        return np.fromfile(self.features / f"{name}.f32", np.float32).reshape(-1, width)

    def _indices(self, texts: list) -> list:
        return [self.index_of[text] for text in texts]

    def _photo_set(self, name: str) -> PhotoSet:
        files = (self.features / f"{name}.files.txt").read_text().split()
        photos = {photo["file"]: photo for photo in self.described[name]}

        def view(variant: str):
            # Square roots (power normalisation, Perronnin et al. 2010) travel better between domains than raw features.
            pooled = torch.from_numpy(self._read(f"{name}.{variant}.pooled", POOLED)).clamp(min=0).sqrt()
            return pooled, torch.from_numpy(self._read(f"{name}.{variant}.logits", CLASSES))

        variants = sorted(path.name.split(".")[1] for path in self.features.glob(f"{name}.*.pooled.f32"))
        views = {variant: view(variant) for variant in variants}
        return PhotoSet(
            pooled=views["plain"][0],
            logits=views["plain"][1],
            views=list(views.values()),
            captions=[self._indices(photos[file]["captions"]) if name != "caltech101" else [] for file in files],
            originals=[photos[file]["original"] for file in files],
        )

    def _flickr_splits(self, photos_dir: Path) -> dict:
        """The official dev and test lists; everything else trains."""
        row_of = {name: i for i, name in enumerate(self.flickr.originals)}
        splits = {}
        for split in ("dev", "test"):
            names = (photos_dir / f"Flickr_8k.{split}Images.txt").read_text().split()
            splits[split] = [row_of[name] for name in names if name in row_of]
        reserved = set(splits["dev"]) | set(splits["test"])
        splits["train"] = [i for i in range(len(self.flickr.originals)) if i not in reserved]
        return splits


def mentions_in(photo: dict, vocabularies: list) -> torch.Tensor:
    captions = [set(re.findall("[a-z]+", caption.lower())) for caption in photo["captions"]]
    return torch.tensor([sum(not words.isdisjoint(caption) for caption in captions) for words in vocabularies])


def held_out(original: str) -> bool:
    """A fixed quarter of a labelled set, by the hash of the photo's name; evaluate.ts uses the same rule."""
    return int(hashlib.md5(original.encode()).hexdigest()[:6], 16) % 100 < HELD_OUT_PERCENT
