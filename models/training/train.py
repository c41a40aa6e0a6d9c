"""Trains the heads of both towers on extracted features, prints held-out figures and exports the weights.

    python3 train.py --features DIR --photos DIR --out DIR
"""

import argparse
import json
import math
import time

import numpy as np
import torch
from torch.nn import functional as F

from batches import Batches
from dataset import Dataset
from heads import DualHeads, Standardise
from measure import measure

WARMUP_STEPS = 20


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", required=True)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--captioned", type=int, default=1024, help="photos with a caption in a batch")
    parser.add_argument("--captions", type=int, default=2, help="captions for each of those")
    parser.add_argument("--labelled", type=int, default=384, help="photos with a class phrase in a batch")
    parser.add_argument("--label-weight", type=float, default=0.4)
    parser.add_argument("--concepts", type=int, default=256, help="short phrases in a batch")
    parser.add_argument("--concept-weight", type=float, default=0.3)
    parser.add_argument("--distill", type=float, default=0.3)
    parser.add_argument("--caption-mix", type=float, default=0.5)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--input-dropout", type=float, default=0.2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    return parser.parse_args()


def loss_of(heads: DualHeads, batch, data: Dataset, options):
    prompts = [np.random.choice(p) for p in data.imagenet]
    classes = heads.text(data.sentences[prompts])
    images = heads.image(batch["pooled"], batch["logits"], classes)
    similarity = images @ heads.text(batch["sentences"]).T * heads.log_scale.exp().clamp(max=100)
    contrast = contrastive(similarity, batch["owner"], batch["related"])
    teacher = torch.softmax(batch["logits"], dim=1)
    student = torch.log_softmax(images @ classes.T * heads.log_class_scale.exp().clamp(max=100), dim=1)
    distillation = -(teacher * student).sum(1).mean()
    return (contrast * batch["weight"]).sum() / batch["weight"].sum() + options.distill * distillation


def contrastive(similarity, owner, related):
    """Symmetric InfoNCE for each (sentence, owner) pair, against the photos and sentences not related to them."""
    pairs = similarity[owner, torch.arange(len(owner))]
    negatives = similarity.masked_fill(related, float("-inf"))
    to_text = torch.logaddexp(negatives.logsumexp(1)[owner], pairs) - pairs
    to_image = torch.logaddexp(negatives.logsumexp(0), pairs) - pairs
    return (to_text + to_image) / 2


def train(data: Dataset, options) -> DualHeads:
    flickr, rows = data.flickr, data.splits["train"]
    pooled = flickr.pooled[rows]
    # The floor on the deviation keeps features that rarely fire from being blown up.
    image_scale = Standardise(pooled.mean(0), pooled.std(0) + 0.1 * pooled.std())
    captions = data.sentences[sorted({c for row in rows for c in flickr.captions[row]})]
    width = captions.shape[1]
    text_scale = Standardise(captions.mean(0), torch.full((width,), 1 / math.sqrt(width)))
    heads = DualHeads(image_scale, text_scale, options.dim, options.dropout, options.input_dropout)
    matrices = [p for p in heads.parameters() if p.dim() > 1]
    others = [p for p in heads.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=options.learning_rate)
    batches = Batches(data, options)
    steps = options.epochs * (len(batches.train) // options.captioned)
    rate = lambda step: min(1, (step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    heads.train()
    for _ in range(options.epochs):
        for batch in batches.epoch():
            optimiser.zero_grad()
            loss_of(heads, batch, data, options).backward()
            optimiser.step()
            schedule.step()
    return heads.eval()


def main():
    options = parse_arguments()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    data = Dataset(options.features, options.photos)
    started = time.time()
    heads = train(data, options)
    print(json.dumps({**measure(heads, data), "seconds": round(time.time() - started)}), flush=True)
    if options.out:
        heads.export(options.out, heads.class_embeddings(data.sentences, data.imagenet).detach())


if __name__ == "__main__":
    main()
