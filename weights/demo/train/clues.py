"""The small clue network: WeakTr (Zhu et al. 2023) with its parameter names: class tokens, patches, a 3 x 3 head on the patches."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = dict(classes=10, patch=8, width=160, depth=6, heads=5, grid=32)


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

    def start_from(self, encoder):
        """Takes over what a segmenter's encoder (segmenter.py) of the same size knows; the class tokens and the head stay
        as they are. Windows and relative positions have no place here."""
        own = self.state_dict()
        taken = {}
        for name, value in encoder.items():
            name = name.replace('mlp.lin', 'mlp.fc')
            if name == 'pos_embed':
                n = self.sizes['classes']
                value = torch.cat([own[name][:, :n], value.reshape(1, -1, value.shape[-1])], 1)
            if name in own and own[name].shape == value.shape:
                taken[name] = value
        self.load_state_dict(taken, strict=False)
        return len(taken)

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

    def forward(self, rgb, corner=None):
        """rgb [b, H, W, 3] bytes. Gives class logits [b, n] and the head's map [b, n, h, w] before its ReLU."""
        x = self.patch_embed.proj((rgb.permute(0, 3, 1, 2).float() - self.mean) / self.deviation)
        b, width, h, w = x.shape
        x = torch.cat([self.cls_token.expand(b, -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.positions(h, w, corner)
        for block in self.blocks:
            x = block(x)
        n = self.sizes['classes']
        patches = x[:, n:].transpose(1, 2).reshape(b, width, h, w)
        return x[:, :n].mean(-1).float(), self.head(patches).float()
