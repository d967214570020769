class TorchOps:
    """The painter's operations in torch, differentiable; weights as {"NAME.weight": tensor}."""

    def __init__(self, weights):
        import torch.nn.functional as F

        self.weights = weights
        self.F = F

    def conv(self, x, name, stride=1):
        weight = self.weights[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        x = self.F.pad(x, (margin,) * 4, mode="replicate")
        return self.F.conv2d(x, weight, self.weights.get(f"{name}.bias"), stride)

    def norm(self, x, name, gain, bias):
        y = self.F.instance_norm(x)
        return y * gain[:, :, None, None] + bias[:, :, None, None]

    def relu(self, x):
        return self.F.relu(x)

    def add(self, x, y):
        return x + y

    def concat(self, x, y):
        import torch

        return torch.cat([x, y], 1)

    def double(self, x):
        return self.F.interpolate(x, scale_factor=2.0, mode="nearest")

    def unshuffle(self, x, factor):
        return self.F.pixel_unshuffle(x, factor)

    def shuffle(self, x, factor):
        return self.F.pixel_shuffle(x, factor)

    def sigmoid(self, x):
        return x.sigmoid()

    def columns(self, code, start, stop):
        return code[:, start:stop]
