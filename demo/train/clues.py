"""The small clue network: WeakTr (Zhu et al. 2023) with its parameter names: class tokens, patches, a 3 x 3 head on the patches.
Its patches come from a convolutional stem (Xiao et al. 2021): with one convolution of the patch's size instead, hours of training on
image-level labels taught a network this small next to nothing."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = dict(classes=10, patch=8, stem=((24, 0), (48, 1), (96, 2)), width=160, depth=6, heads=5, grid=32)


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.c(x))


class Pair(nn.Module):
    """ResNet's basic block."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = ConvNorm(width, width), ConvNorm(width, width)
        nn.init.zeros_(self.second.bn.weight)

    def forward(self, x):
        return F.relu(x + self.second(F.relu(self.first(x))))


class Stage(nn.Module):
    """Halves the sides."""

    def __init__(self, inputs, width, pairs):
        super().__init__()
        self.down, self.res = ConvNorm(inputs, width, 2), nn.Sequential(*(Pair(width) for _ in range(pairs)))

    def forward(self, x):
        return self.res(F.relu(self.down(x)))


def stem(stages=SIZES['stem']):
    widths = (3,) + tuple(width for width, _ in stages)
    return nn.Sequential(*(Stage(i, width, pairs) for i, (width, pairs) in zip(widths, stages)))


def normalised(rgb):
    """[b, H, W, 3] bytes as the runtime gives them to the network, [b, 3, H, W]."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (rgb.float() - 255 * mean) / (255 * deviation)
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, s, width = x.shape
        q, k, v = self.qkv(x).view(b, s, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        p = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((p @ v).transpose(1, 2).reshape(b, s, width))


class Norm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.float())


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = Norm(width, eps=1e-6), Norm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads), nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class ClueNetwork(nn.Module):
    def __init__(self, sizes=SIZES):
        super().__init__()
        self.sizes = dict(sizes)
        n, width, grid = sizes['classes'], sizes['width'], sizes['grid']
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, n, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, n + grid * grid, width))
        self.patch_embed = nn.Module()
        self.patch_embed.stem = stem(sizes['stem'])
        self.patch_embed.proj = nn.Conv2d(sizes['stem'][-1][0], width, 1)
        self.blocks = nn.ModuleList(Block(width, sizes['heads']) for _ in range(sizes['depth']))
        self.norm = nn.LayerNorm(width)  # published checkpoints have it; it is never used
        self.head = nn.Conv2d(width, n, 3, padding=1)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.03)
                nn.init.zeros_(m.bias)
        for block in self.blocks:  # nothing but the stem's features at first
            nn.init.zeros_(block.attn.proj.weight)
            nn.init.zeros_(block.mlp.fc2.weight)
        nn.init.orthogonal_(self.patch_embed.proj.weight.view(width, -1))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, -2.0)

    def positions(self, h, w, corner=None):
        """The stored grid resampled as the runtime does: bicubic with factors (h + 0.1) / grid. With a corner (training):
        the part of the grid that begins there."""
        n, grid = self.sizes['classes'], self.sizes['grid']
        table = self.pos_embed[:, n:].view(1, grid, grid, -1).permute(0, 3, 1, 2)
        if corner is not None:
            table = table[:, :, corner[0]:corner[0] + h, corner[1]:corner[1] + w]
        elif (h, w) != (grid, grid):
            table = F.interpolate(table, scale_factor=((h + 0.1) / grid, (w + 0.1) / grid), mode='bicubic')
        return torch.cat([self.pos_embed[:, :n], table.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)

    def forward(self, rgb):
        """rgb [b, H, W, 3] bytes. Gives class logits [b, n] and the head's map [b, n, h, w] before its ReLU."""
        logits, maps, _ = self.after_stem(self.patch_embed.stem(normalised(rgb)))
        return logits, maps

    def after_stem(self, x, corner=None):
        """The same of the stem's features, and the patches [b, h * w, width] behind the last block."""
        x = self.patch_embed.proj(x)
        b, width, h, w = x.shape
        x = torch.cat([self.cls_token.expand(b, -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.positions(h, w, corner)
        for block in self.blocks:
            x = block(x)
        n = self.sizes['classes']
        patches = x[:, n:]
        maps = self.head(patches.transpose(1, 2).reshape(b, width, h, w))
        return x[:, :n].mean(-1).float(), maps.float(), patches


def pooled(maps):
    """[b, n, h, w] -> [b, n]: the mean weighted by the softmax over the picture, so that a small part counts."""
    x = maps.flatten(2)
    return (x * x.softmax(-1)).sum(-1)
