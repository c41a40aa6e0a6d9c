"""Held-out figures of the float heads, on extracted features."""

import torch

from dataset import Dataset
from heads import DualHeads


@torch.no_grad()
def measure(heads: DualHeads, data: Dataset) -> dict:
    classes = heads.class_embeddings(data.sentences, data.imagenet)

    def recalls(photos, rows):
        images = heads.image(photos.pooled[rows], photos.logits[rows], classes)
        sentences = [(c, k) for k, row in enumerate(rows) for c in photos.captions[row]]
        texts = heads.text(data.sentences[[c for c, _ in sentences]])
        owner = torch.tensor([k for _, k in sentences])
        return retrieval(images, texts, owner)

    held = data.caltech_held_out
    images = heads.image(data.caltech.pooled[held], data.caltech.logits[held], classes)
    named = images @ heads.class_embeddings(data.sentences, data.caltech_prompts).T
    return {
        "flickr8k dev": recalls(data.flickr, data.splits["dev"]),
        "flickr8k test": recalls(data.flickr, data.splits["test"]),
        "coco 249": recalls(data.coco, list(range(len(data.coco.originals)))),
        "caltech101 held out": round(100 * (named.argmax(1) == data.caltech_class[held]).float().mean().item(), 1),
        "scale": round(heads.log_scale.exp().item(), 2),
        "beta": round(heads.beta.item(), 2),
    }


def retrieval(images, texts, owner) -> dict:
    similarity = texts @ images.T
    truth = similarity[torch.arange(len(texts)), owner]
    text_rank = (similarity > truth[:, None]).sum(1)
    # Best-placed of a photo's own captions among all captions.
    own = owner[None] == torch.arange(len(images))[:, None]
    best = similarity.T.masked_fill(~own, -2).max(1).values
    image_rank = (similarity.T > best[:, None]).sum(1)
    at = lambda rank: [round(100 * (rank < k).float().mean().item(), 1) for k in (1, 5, 10)]
    return {"t2i": at(text_rank), "i2t": at(image_rank)}
