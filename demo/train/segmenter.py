"""The small promptable segmenter: SAM's modules with SAM's parameter names (Kirillov et al. 2023), any size.

Encoder: ViT with windows, global blocks and decomposed relative positions. Decoder: two-way transformer, upscaling,
hypernetworks, IoU head. Only what training needs: fixed input size, prompts of equal token count in one call.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = dict(image=448, patch=8, width=160, depth=6, heads=5, mlp=640, window=8, globals=(3,),
             channels=128, decoder_heads=4, decoder_mlp=512, layers=2)


class LayerNorm2d(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))

    def forward(self, x):
        return self.rows(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def rows(self, x):
        """Channels last."""
        return F.layer_norm(x.float(), self.weight.shape, self.weight, self.bias, 1e-6)


class Norm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.float())


class Attention(nn.Module):
    """Multi-head attention over a square of `side` tokens with decomposed relative positions."""

    def __init__(self, width, heads, side):
        super().__init__()
        self.heads, self.side = heads, side
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x, side):
        """x [b, side * side, width]; `side` may be less than the one of the tables (training on crops)."""
        b, s, width = x.shape
        n, at = self.heads, torch.arange(side)
        index = at[:, None] - at[None, :] + self.side - 1
        q, k, v = self.qkv(x).view(b, s, 3, n, width // n).permute(2, 0, 3, 1, 4)
        scores = (q * (width // n) ** -0.5) @ k.transpose(-2, -1)
        grid = q.reshape(b, n, side, side, -1)
        by_row = torch.einsum('bnyxc,ykc->bnyxk', grid, self.rel_pos_h[index])
        by_column = torch.einsum('bnyxc,xkc->bnyxk', grid, self.rel_pos_w[index])
        scores = scores.view(b, n, side, side, side, side) + by_row[..., :, None] + by_column[..., None, :]
        out = scores.view(b, n, s, s).softmax(-1) @ v
        return self.proj(out.transpose(1, 2).reshape(b, s, width))


class MLP(nn.Module):
    def __init__(self, width, hidden, act=F.gelu):
        super().__init__()
        self.lin1, self.lin2, self.act = nn.Linear(width, hidden), nn.Linear(hidden, width), act

    def forward(self, x):
        return self.lin2(self.act(self.lin1(x)))


class Block(nn.Module):
    def __init__(self, width, heads, mlp, grid, window):
        super().__init__()
        self.norm1, self.norm2 = Norm(width, eps=1e-6), Norm(width, eps=1e-6)
        self.window = window
        self.attn, self.mlp = Attention(width, heads, window or grid), MLP(width, mlp)

    def forward(self, x, grid):  # [b, grid * grid, width]
        b, s, width = x.shape
        y = self.norm1(x)
        if self.window:
            n, w = grid // self.window, self.window
            y = y.view(b, n, w, n, w, width).transpose(2, 3).reshape(b * n * n, w * w, width)
            y = self.attn(y, w).view(b, n, n, w, w, width).transpose(2, 3).reshape(b, s, width)
        else:
            y = self.attn(y, grid)
        x = x + y
        return x + self.mlp(self.norm2(x))


class ImageEncoder(nn.Module):
    def __init__(self, z):
        super().__init__()
        grid, width = z['image'] // z['patch'], z['width']
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, z['patch'], z['patch'])
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, grid, grid, width))
        self.blocks = nn.ModuleList(
            Block(width, z['heads'], z['mlp'], grid, 0 if i in z['globals'] else z['window']) for i in range(z['depth']))
        c = z['channels']
        self.neck = nn.Sequential(nn.Conv2d(width, c, 1, bias=False), LayerNorm2d(c),
                                  nn.Conv2d(c, c, 3, padding=1, bias=False), LayerNorm2d(c))

    def forward(self, image, corner=(0, 0)):
        """A smaller image is a crop whose first patch lies at `corner` (row, column) of the position grid."""
        x = self.patch_embed.proj(image).permute(0, 2, 3, 1)
        b, h, w, width = x.shape
        x = x + self.pos_embed[:, corner[0]:corner[0] + h, corner[1]:corner[1] + w]
        x = x.reshape(b, h * w, width)
        for block in self.blocks:
            x = block(x, h)
        return self.neck(x.view(b, h, w, width).permute(0, 3, 1, 2))


class PromptEncoder(nn.Module):
    def __init__(self, z):
        super().__init__()
        c, self.image, self.grid, self.patch = z['channels'], z['image'], z['image'] // z['patch'], z['patch']
        self.pe_layer = nn.Module()
        self.pe_layer.register_buffer('positional_encoding_gaussian_matrix', torch.randn(2, c // 2))
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, c) for _ in range(4))
        self.not_a_point_embed, self.no_mask_embed = nn.Embedding(1, c), nn.Embedding(1, c)
        self.mask_downscaling = nn.Sequential(nn.Conv2d(1, 4, 2, 2), LayerNorm2d(4), nn.GELU(), nn.Conv2d(4, 16, 2, 2),
                                              LayerNorm2d(16), nn.GELU(), nn.Conv2d(16, c, 1))

    def encode(self, at):  # at: [..., 2] in [0, 1]
        a = 2 * math.pi * ((2 * at - 1) @ self.pe_layer.positional_encoding_gaussian_matrix)
        return torch.cat([a.sin(), a.cos()], -1)

    def dense_positions(self, side, corner):
        t = (torch.arange(side) + 0.5) / self.grid
        y, x = torch.meshgrid(t + corner[0] / self.grid, t + corner[1] / self.grid, indexing='ij')
        return self.encode(torch.stack([x, y], -1)).view(1, -1, 2 * self.pe_layer.positional_encoding_gaussian_matrix.shape[1])

    def points(self, xy, labels, corner):
        """xy [n, k, 2] pixels of the input, labels [n, k]: 0, 1 points, 2, 3 corners, -1 padding."""
        tokens = self.encode((xy + 0.5 + self.patch * torch.tensor([corner[1], corner[0]])) / self.image)
        table = torch.cat([e.weight for e in self.point_embeddings])
        tokens = tokens + table[labels.clamp(min=0)]
        return torch.where(labels[..., None] < 0, self.not_a_point_embed.weight[None], tokens)

    def dense(self, masks):
        """masks [n, 1, 4 grid, 4 grid] logits or None."""
        if masks is None:
            return self.no_mask_embed.weight[:, :, None, None]
        return self.mask_downscaling(masks)


class CrossAttention(nn.Module):
    def __init__(self, width, inner, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, width)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, q, k, v):
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        out = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return self.out_proj(out.transpose(1, 2).flatten(2))


class TwoWayLayer(nn.Module):
    def __init__(self, z, first):
        super().__init__()
        c, heads, self.first = z['channels'], z['decoder_heads'], first
        self.self_attn = CrossAttention(c, c, heads)
        self.cross_attn_token_to_image = CrossAttention(c, c // 2, heads)
        self.cross_attn_image_to_token = CrossAttention(c, c // 2, heads)
        self.mlp = MLP(c, z['decoder_mlp'], F.relu)
        self.norm1, self.norm2, self.norm3, self.norm4 = (Norm(c) for _ in range(4))

    def forward(self, q, k, t0, positions):
        q = self.norm1(self.self_attn(q, q, q) if self.first else q + self.self_attn(q + t0, q + t0, q))
        q = self.norm2(q + self.cross_attn_token_to_image(q + t0, k + positions, k))
        q = self.norm3(q + self.mlp(q))
        k = self.norm4(k + self.cross_attn_image_to_token(k + positions, q + t0, q))
        return q, k


class Head(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, out)])

    def forward(self, x):
        return self.layers[2](F.relu(self.layers[1](F.relu(self.layers[0](x)))))


class MaskDecoder(nn.Module):
    def __init__(self, z):
        super().__init__()
        c = z['channels']
        self.iou_token, self.mask_tokens = nn.Embedding(1, c), nn.Embedding(4, c)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(TwoWayLayer(z, i == 0) for i in range(z['layers']))
        self.transformer.final_attn_token_to_image = CrossAttention(c, c // 2, z['decoder_heads'])
        self.transformer.norm_final_attn = Norm(c)
        self.output_upscaling = nn.Sequential(nn.ConvTranspose2d(c, c // 4, 2, 2), LayerNorm2d(c // 4), nn.GELU(),
                                              nn.ConvTranspose2d(c // 4, c // 8, 2, 2), nn.GELU())
        self.output_hypernetworks_mlps = nn.ModuleList(Head(c, c // 8) for _ in range(4))
        self.iou_prediction_head = Head(c, 4)

    def forward(self, embedding, positions, sparse):
        """embedding [n, c, g, g] with the dense prompt added; sparse [n, k, c]. Gives [n, 4, 4g, 4g], [n, 4]."""
        n, c, g, _ = embedding.shape
        t0 = torch.cat([torch.cat([self.iou_token.weight, self.mask_tokens.weight]).expand(n, -1, -1), sparse], 1)
        q, k = t0, embedding.flatten(2).transpose(1, 2)
        for layer in self.transformer.layers:
            q, k = layer(q, k, t0, positions)
        q = self.transformer.norm_final_attn(q + self.transformer.final_attn_token_to_image(q + t0, k + positions, k))
        weights = torch.stack([self.output_hypernetworks_mlps[i](q[:, 1 + i]) for i in range(4)], 1)
        # Rows first: PyTorch 1.13's gelu_backward leaves its result unwritten where its gradient is transposed.
        masks = self.upscale(k) @ weights.transpose(1, 2)
        masks = masks.view(n, g, g, 2, 2, 2, 2, 4).permute(0, 7, 1, 3, 5, 2, 4, 6)
        return masks.reshape(n, 4, 4 * g, 4 * g).float(), self.iou_prediction_head(q[:, 0]).float()

    def upscale(self, k):
        """output_upscaling on rows: both transposed convolutions are products with 2 x 2 results per row, which stay
        beside each other until the masks exist. [n, s, c] -> [n, 16 s, c / 8]"""
        first, norm, _, second, _ = self.output_upscaling
        x = F.gelu(norm.rows(self.expand(first, k)))
        return F.gelu(self.expand(second, x))

    @staticmethod
    def expand(conv, x):
        inner, out = conv.weight.shape[:2]
        w = conv.weight.permute(0, 2, 3, 1).reshape(inner, 4 * out)
        return (x @ w + conv.bias.repeat(4)).view(x.shape[0], 4 * x.shape[1], out)


class Segmenter(nn.Module):
    def __init__(self, sizes=SIZES):
        super().__init__()
        self.sizes = dict(sizes)
        self.image_encoder, self.prompt_encoder = ImageEncoder(sizes), PromptEncoder(sizes)
        self.mask_decoder = MaskDecoder(sizes)
        self.register_buffer('mean', torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('deviation', torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1), persistent=False)
        for m in self.image_encoder.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02 * (768 / sizes['width']) ** 0.5)
                nn.init.zeros_(m.bias)

    def normalise(self, rgb, content):
        """rgb [b, side, side, 3] bytes; content [b, 2] width and height. The padding is zero after the normalisation."""
        x = (rgb.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        at = torch.arange(rgb.shape[1])
        inside = (at[None, None, :] < content[:, 0, None, None]) & (at[None, :, None] < content[:, 1, None, None])
        return x * inside[:, None]

    def decode(self, embedding, owner, xy, labels, masks=None, corner=(0, 0)):
        """Masks of prompts: owner [n] tells the picture of each; see PromptEncoder.points, ImageEncoder.forward."""
        dense, of = embedding[owner] + self.prompt_encoder.dense(masks), self.prompt_encoder
        return self.mask_decoder(dense, of.dense_positions(embedding.shape[-1], corner), of.points(xy, labels, corner))
