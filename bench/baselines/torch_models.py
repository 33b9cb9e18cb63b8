"""The published segmenters as plain PyTorch modules of the same shapes, fast where PyTorch is: fused attention
(scaled_dot_product_attention), one product for q, k and v. Parameters are drawn from their names: speed does not depend on
values, masks mean nothing."""
import zlib

import torch
from torch import nn
from torch.nn import functional as F


class LayerNorm2d(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = nn.LayerNorm(c, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def split_windows(x, side):
    """[B,H,W,C] padded to windows [B*n, side*side, C], and the padded size."""
    b, h, w, c = x.shape
    x = F.pad(x, (0, 0, 0, -w % side, 0, -h % side))
    hp, wp = x.shape[1:3]
    x = x.view(b, hp // side, side, wp // side, side, c).transpose(2, 3)
    return x.reshape(-1, side * side, c), (hp, wp)


def join_windows(x, side, padded, size):
    (hp, wp), (h, w) = padded, size
    x = x.view(-1, hp // side, wp // side, side, side, x.shape[-1]).transpose(2, 3)
    return x.reshape(x.shape[0], hp, wp, -1)[:, :h, :w].contiguous()


class Attention(nn.Module):
    """`bias`: none, separable (SAM's relative positions), table (TinyViT)."""

    def __init__(self, dim, heads, side, bias):
        super().__init__()
        self.heads, self.side, self.bias = heads, side, bias
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        if bias == "separable":
            self.rel_pos_h = nn.Parameter(torch.empty(2 * side - 1, dim // heads))
            self.rel_pos_w = nn.Parameter(torch.empty(2 * side - 1, dim // heads))
            at = torch.arange(side)
            self.register_buffer("at", at[:, None] - at[None] + side - 1, persistent=False)
        elif bias == "table":
            self.attention_biases = nn.Parameter(torch.empty(heads, side * side))
            y, x = torch.arange(side * side) // side, torch.arange(side * side) % side
            distance = (y[:, None] - y[None]).abs() * side + (x[:, None] - x[None]).abs()
            self.register_buffer("at", distance, persistent=False)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mask = None
        if self.bias == "separable":
            g = self.side
            r = q.reshape(b * self.heads, g, g, -1)
            h = torch.einsum("bhwc,hkc->bhwk", r, self.rel_pos_h[self.at])
            w = torch.einsum("bhwc,wkc->bhwk", r, self.rel_pos_w[self.at])
            mask = (h[..., :, None] + w[..., None, :]).reshape(b, self.heads, n, n)
        elif self.bias == "table":
            mask = self.attention_biases[:, self.at]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Sequential):
    def __init__(self, dim, hidden):
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class Block(nn.Module):
    def __init__(self, dim, heads, window, grid, bias):
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn, self.mlp = Attention(dim, heads, window or grid, bias), Mlp(dim, 4 * dim)

    def forward(self, x):
        b, h, w, c = x.shape
        y = self.norm1(x)
        if self.window:
            y, padded = split_windows(y, self.window)
            y = join_windows(self.attn(y), self.window, padded, (h, w))
        else:
            y = self.attn(y.reshape(b, h * w, c)).view(b, h, w, c)
        x = x + y
        return x + self.mlp(self.norm2(x))


def neck(dim):
    return nn.Sequential(nn.Conv2d(dim, 256, 1, bias=False), LayerNorm2d(256), nn.Conv2d(256, 256, 3, padding=1, bias=False),
                         LayerNorm2d(256))


class ViT(nn.Module):
    def __init__(self, dim, depth, heads, window, everywhere, bias, size):
        super().__init__()
        grid = size // 16
        self.patch_embed = nn.Conv2d(3, dim, 16, 16)
        self.pos_embed = nn.Parameter(torch.empty(1, grid, grid, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads, 0 if i in everywhere else window, grid, bias) for i in range(depth)))
        self.neck = neck(dim)

    def forward(self, image):
        x = self.patch_embed(image).permute(0, 2, 3, 1) + self.pos_embed
        return self.neck(self.blocks(x).permute(0, 3, 1, 2))


def conv(i, o, k, s=1, groups=1):
    """Convolution with its batch norm folded in."""
    return nn.Conv2d(i, o, k, s, k // 2, groups=groups)


class Inverted(nn.Sequential):
    def __init__(self, i, hidden, o, stride):
        super().__init__(conv(i, hidden, 1), nn.GELU(), conv(hidden, hidden, 3, stride, hidden), nn.GELU(), conv(hidden, o, 1))


class MBConv(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.body = Inverted(dim, 4 * dim, dim, 1)

    def forward(self, x):
        return F.gelu(x + self.body(x))


class TinyBlock(nn.Module):
    def __init__(self, dim, heads, window):
        super().__init__()
        self.window, self.local = window, conv(dim, dim, 3, 1, dim)
        self.attn_norm, self.mlp_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn, self.mlp = Attention(dim, heads, window, "table"), Mlp(dim, 4 * dim)

    def forward(self, x):
        h, w = x.shape[2:]
        y, padded = split_windows(x.permute(0, 2, 3, 1), self.window)
        y = join_windows(self.attn(self.attn_norm(y)), self.window, padded, (h, w))
        x = self.local(x + y.permute(0, 3, 1, 2))
        y = x.permute(0, 2, 3, 1)
        return x + self.mlp(self.mlp_norm(y)).permute(0, 3, 1, 2)


class TinyViT(nn.Sequential):
    def __init__(self):
        dims, depths, heads, windows = (64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7)
        parts = [conv(3, 32, 3, 2), nn.GELU(), conv(32, 64, 3, 2)]
        for i, dim in enumerate(dims):
            parts += [TinyBlock(dim, heads[i], windows[i]) if i else MBConv(dim) for _ in range(depths[i])]
            if i < 3:
                parts.append(Inverted(dim, dims[i + 1], dims[i + 1], 2 if i < 2 else 1))
        super().__init__(*parts, neck(320))


# ---- decoder ----


class CrossAttention(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(256, inner) for _ in range(3))
        self.out = nn.Linear(inner, 256)

    def forward(self, q, k, v):
        q, k, v = (p(x).unflatten(-1, (8, -1)).transpose(1, 2) for p, x in ((self.q, q), (self.k, k), (self.v, v)))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class TwoWayBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.own, self.to_image, self.to_token = CrossAttention(256), CrossAttention(128), CrossAttention(128)
        self.mlp = nn.Sequential(nn.Linear(256, 2048), nn.ReLU(), nn.Linear(2048, 256))
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(256) for _ in range(4))

    def forward(self, q, k, q_pos, k_pos):
        q = self.norm1(q + self.own(q + q_pos, q + q_pos, q))
        q = self.norm2(q + self.to_image(q + q_pos, k + k_pos, k))
        q = self.norm3(q + self.mlp(q))
        return q, self.norm4(k + self.to_token(k + k_pos, q + q_pos, q))


def head(out):
    return nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, out))


class Decoder(nn.Module):
    """Clicks [P,n,2] in [0,1] with labels on an embedding [1,256,g,g] to iou [P,3], low_res [P,3,4g,4g]."""

    def __init__(self, grid):
        super().__init__()
        self.gaussian = nn.Parameter(torch.empty(2, 128))
        self.points, self.tokens = nn.Parameter(torch.empty(5, 256)), nn.Parameter(torch.empty(5, 256))
        self.dense, self.grid = nn.Parameter(torch.empty(256)), grid
        self.blocks = nn.ModuleList(TwoWayBlock() for _ in range(2))
        self.final, self.norm = CrossAttention(128), nn.LayerNorm(256)
        self.up = nn.Sequential(nn.ConvTranspose2d(256, 64, 2, 2), LayerNorm2d(64), nn.GELU(), nn.ConvTranspose2d(64, 32, 2, 2),
                                nn.GELU())
        self.hyper, self.iou = nn.ModuleList(head(32) for _ in range(4)), head(4)

    def code(self, xy):
        a = 2 * torch.pi * ((2 * xy - 1) @ self.gaussian)
        return torch.cat([a.sin(), a.cos()], -1)

    def forward(self, embedding, points, labels):
        g, p = self.grid, points.shape[0]
        at = (torch.arange(g, device=points.device, dtype=points.dtype) + 0.5) / g
        k_pos = self.code(torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).view(1, g * g, 2))
        sparse = torch.where((labels < 0)[..., None], self.points[0], self.code(points) + self.points[labels + 1])
        tokens = torch.cat([self.tokens.expand(p, -1, -1), sparse], 1)
        q, k = tokens, (embedding.flatten(2).transpose(1, 2) + self.dense).expand(p, -1, -1)
        for block in self.blocks:
            q, k = block(q, k, tokens, k_pos)
        q = self.norm(q + self.final(q + tokens, k + k_pos, k))
        features = self.up(k.transpose(1, 2).unflatten(2, (g, g))).flatten(2)
        vectors = torch.stack([self.hyper[i](q[:, 1 + i]) for i in range(1, 4)], 1)
        return self.iou(q[:, 0])[:, 1:], (vectors @ features).view(p, 3, 4 * g, 4 * g)


ENCODERS = {
    "sam_vit_b": lambda s: ViT(768, 12, 12, 14, (2, 5, 8, 11), "separable", s),
    "sam_vit_l": lambda s: ViT(1024, 24, 16, 14, (5, 11, 17, 23), "separable", s),
    "sam_vit_h": lambda s: ViT(1280, 32, 16, 14, (7, 15, 23, 31), "separable", s),
    "mobile_sam": lambda s: TinyViT(),
    "efficient_sam_ti": lambda s: ViT(192, 12, 3, 0, range(12), "none", s),
    "efficient_sam_s": lambda s: ViT(384, 12, 6, 0, range(12), "none", s),
}


@torch.no_grad()
def draw(module):
    for name, p in module.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        scale = 0.02 if p.dim() > 1 else 0.1
        p.copy_((1.0 if "norm" in name and name.endswith("weight") else 0.0) + scale * torch.randn(p.shape, generator=generator))
    return module.eval()
