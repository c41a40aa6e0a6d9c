"""The two trained heads on top of locked networks."""

import json
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

CONSE_TEMPERATURE = 1.5


class Residual(nn.Module):
    """linear(x) + MLP(x), on dropped-out input."""

    def __init__(self, width_in: int, hidden: int, width_out: int, dropout: float, input_dropout: float):
        super().__init__()
        self.input_dropout = nn.Dropout(input_dropout)
        self.linear = nn.Linear(width_in, width_out)
        self.hidden = nn.Linear(width_in, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, width_out)

    def forward(self, x):
        x = self.input_dropout(x)
        return self.linear(x) + self.output(self.dropout(F.gelu(self.hidden(x))))


class Standardise(nn.Module):
    """(x - mean) / deviation with fixed statistics; folded into the layers after it on export."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, x):
        return (x - self.mean) / self.deviation

    def fold(self, layer: nn.Linear):
        weight = layer.weight / self.deviation
        return weight.T, layer.bias - weight @ self.mean


class DualHeads(nn.Module):
    def __init__(self, image_scale: Standardise, text_scale: Standardise, dim: int, dropout: float, input_dropout: float):
        super().__init__()
        self.image_scale, self.text_scale = image_scale, text_scale
        self.image_head = Residual(image_scale.mean.numel(), 1024, dim, dropout, input_dropout)
        self.text_head = Residual(text_scale.mean.numel(), 512, dim, dropout, input_dropout / 2)
        self.gate = nn.Linear(image_scale.mean.numel(), 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)
        self.beta = nn.Parameter(torch.tensor(1.0))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.log_class_scale = nn.Parameter(torch.tensor(math.log(20.0)))

    def text(self, sentences):
        """[n, 384] MiniLM embeddings -> [n, dim] unit vectors."""
        return F.normalize(self.text_head(self.text_scale(sentences)), dim=-1)

    def image(self, pooled, logits, classes):
        """[n, 2048], [n, 1000] and class embeddings [1000, dim] -> [n, dim] unit vectors."""
        x = self.image_scale(pooled)
        aligned = F.normalize(self.image_head(x), dim=-1)
        # ConSE (Norouzi et al. 2014): where the classifier is sure, its classes' own words speak for the picture.
        conse = torch.softmax(logits / CONSE_TEMPERATURE, dim=1) @ classes
        return F.normalize(aligned + self.beta * torch.sigmoid(self.gate(x)) * conse, dim=-1)

    def class_embeddings(self, sentences, prompts):
        """Mean of each class's prompts, unit length: [classes, dim]."""
        return torch.stack([F.normalize(self.text(sentences[p]).mean(0), dim=0) for p in prompts])

    @torch.no_grad()
    def export(self, directory: str, classes: torch.Tensor):
        """One little-endian float32 file per parameter, shapes (input x output) and scalars in head.json."""
        out = Path(directory)
        out.mkdir(parents=True, exist_ok=True)
        parameters = {"class_embeddings": classes}
        parameters["gate_weight"], parameters["gate_bias"] = self.image_scale.fold(self.gate)
        for tower, scale, head in (
            ("image", self.image_scale, self.image_head),
            ("text", self.text_scale, self.text_head),
        ):
            for name, layer in (("linear", head.linear), ("hidden", head.hidden)):
                weight, bias = scale.fold(layer)
                parameters[f"{tower}_{name}_weight"], parameters[f"{tower}_{name}_bias"] = weight, bias
            parameters[f"{tower}_output_weight"] = head.output.weight.T
            parameters[f"{tower}_output_bias"] = head.output.bias
        for name, value in parameters.items():
            value.contiguous().numpy().tofile(out / f"{name}.f32")
        shapes = {name: list(value.shape) for name, value in parameters.items()}
        head = {"beta": self.beta.item(), "scale": self.log_scale.exp().item(), "shapes": shapes}
        (out / "head.json").write_text(json.dumps(head, indent=2))
