"""The small clue network: WeakTr (Zhu et al. 2023) with its parameter names: class tokens, patches, a 3 x 3 head on the patches."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = dict(classes=10, patch=16, width=192, depth=6, heads=3, grid=24)


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
        self.patch_embed.proj = nn.Conv2d(3, width, sizes['patch'], sizes['patch'])
        self.blocks = nn.ModuleList(Block(width, sizes['heads']) for _ in range(sizes['depth']))
        self.norm = nn.LayerNorm(width)  # published checkpoints have it; it is never used
        self.head = nn.Conv2d(width, n, 3, padding=1)
        self.register_buffer('mean', 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('deviation', 255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.03)
                nn.init.zeros_(m.bias)

    def positions(self, h, w):
        """The stored grid resampled as the runtime does: bicubic with factors (h + 0.1) / grid."""
        n, grid = self.sizes['classes'], self.sizes['grid']
        table = self.pos_embed[:, n:].view(1, grid, grid, -1).permute(0, 3, 1, 2)
        if (h, w) != (grid, grid):
            table = F.interpolate(table, scale_factor=((h + 0.1) / grid, (w + 0.1) / grid), mode='bicubic')
        return torch.cat([self.pos_embed[:, :n], table.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)

    def forward(self, rgb):
        """rgb [b, H, W, 3] bytes. Gives class logits [b, n] and the head's map [b, n, h, w] before its ReLU."""
        x = self.patch_embed.proj((rgb.permute(0, 3, 1, 2).float() - self.mean) / self.deviation)
        b, width, h, w = x.shape
        x = torch.cat([self.cls_token.expand(b, -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.positions(h, w)
        for block in self.blocks:
            x = block(x)
        n = self.sizes['classes']
        patches = x[:, n:].transpose(1, 2).reshape(b, width, h, w)
        return x[:, :n].mean(-1).float(), self.head(patches).float()
