"""The clue network's teacher: the same stem, one more stage for what is around a patch, and a 1 x 1 head."""
import torch.nn as nn
import torch.nn.functional as F

import clues


class Teacher(nn.Module):
    def __init__(self, classes=clues.SIZES['classes'], deep=160):
        super().__init__()
        width = clues.SIZES['stem'][-1][0]
        self.stem, self.deep = clues.stem(), clues.Stage(width, deep, 2)
        self.up, self.mix, self.head = nn.Conv2d(deep, width, 1), clues.ConvNorm(width, width), nn.Conv2d(width, classes, 1)
        nn.init.constant_(self.head.bias, -2.0)

    def after_stem(self, x):
        """Maps [b, n, h, w] and the features they are made of."""
        around = F.interpolate(self.up(self.deep(x)), size=x.shape[-2:], mode='nearest')
        features = F.relu(self.mix(x + around))
        return self.head(features).float(), features.float()

    def forward(self, rgb):
        return self.after_stem(self.stem(clues.normalised(rgb)))[0]
