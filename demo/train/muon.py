"""Muon (Jordan et al. 2024): momentum whose matrix is replaced by the nearest orthogonal one, for the weights that are matrices;
everything else takes AdamW. The update's size is matched to AdamW's (Liu et al. 2025), so that both share one rate."""
import torch


def orthogonal(g, steps=5):
    """A batch of matrices [n, rows, columns] with rows <= columns: singular values brought near 1 by a quintic iteration, in
    bf16 as Jordan does (0.15 s a step for 0.39 s on one core of Zen 5)."""
    x = (g / (g.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315) @ x
    return x.float()


class Muon:
    """matrices: (parameter, number of equal blocks its rows are cut into), as qkv holds three."""

    def __init__(self, matrices, others, betas=(0.9, 0.98), momentum=0.95, weight_decay=0.02):
        self.matrices, self.momentum, self.weight_decay = matrices, momentum, weight_decay
        self.buffers = [torch.zeros_like(p) for p, _ in matrices]
        self.adam = torch.optim.AdamW(others, betas=betas, weight_decay=weight_decay)
        self.groups = {}
        for i, (p, blocks) in enumerate(matrices):
            rows, columns = p.shape[0] // blocks, p[0].numel()
            self.groups.setdefault((min(rows, columns), max(rows, columns)), []).append(i)

    def zero_grad(self):
        self.adam.zero_grad(set_to_none=True)
        for p, _ in self.matrices:
            p.grad = None

    @torch.no_grad()
    def step(self, rate):
        for group in self.adam.param_groups:
            group['lr'] = rate
        self.adam.step()
        for (short, long), members in self.groups.items():
            members = [i for i in members if self.matrices[i][0].grad is not None]
            if not members:
                continue
            stacked = torch.cat([self.direction(i, short, long) for i in members])
            update = orthogonal(stacked) * (0.2 * long ** 0.5)
            at = 0
            for i in members:
                p, blocks = self.matrices[i]
                part = update[at:at + blocks]
                at += blocks
                if p.shape[0] // blocks > p[0].numel():
                    part = part.transpose(1, 2)
                p.mul_(1 - rate * self.weight_decay).add_(part.reshape(p.shape), alpha=-rate)

    def direction(self, i, short, long):
        """Nesterov momentum of matrix i as [blocks, short side, long side]."""
        p, blocks = self.matrices[i]
        buffer = self.buffers[i]
        buffer.lerp_(p.grad, 1 - self.momentum)
        g = p.grad.lerp(buffer, self.momentum).reshape(blocks, p.shape[0] // blocks, -1)
        return g.transpose(1, 2) if g.shape[1] > g.shape[2] else g

    def state_dict(self):
        return dict(buffers=self.buffers, adam=self.adam.state_dict())

    def load_state_dict(self, state):
        self.buffers = state['buffers']
        self.adam.load_state_dict(state['adam'])


def split(named):
    """Matrices of linear layers and convolutions for Muon; vectors, embeddings and tables for AdamW."""
    matrices, others = [], []
    for name, p in named:
        table = any(k in name for k in ('embed', 'token', 'rel_pos', 'patch'))
        if p.dim() < 2 or table or min(p.shape[0], p[0].numel()) < 16:
            others.append(p)
        else:
            matrices.append((p, 3 if 'qkv' in name else 1))
    return matrices, others
