"""Nets as a person may bring them, copied beside a study: good ones, and ones that cannot be measured."""

import torch
from torch import nn
from torch.nn.functional import dropout


class Net(nn.Module):
    def __init__(self, width=12, mend=lambda net, images, logits: logits, before=lambda images: images):
        super().__init__()
        self.convolution = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Linear(width * 64, 10)
        self.mend, self.before = mend, before

    def forward(self, images):
        hidden = torch.tanh(self.norm(self.convolution(self.before(images))))
        return self.mend(self, images, self.last(hidden.view(images.shape[0], -1)))


def net(width=12):
    torch.manual_seed(width)
    return Net(width)


def attention():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(2), Attention(), nn.Flatten(), nn.Linear(64, 10))


class Attention(nn.Module):
    def forward(self, x):
        x = x.view(len(x), 1, 8, 8)
        return nn.functional.scaled_dot_product_attention(x, x, x)


def single():  # computes in float32 whatever it is given
    return Net(before=lambda images: images.float(), mend=lambda net, images, logits: logits.float())


def changed(mend):
    def factory():
        torch.manual_seed(1)
        return Net(mend=mend)

    return factory


class AlwaysTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, images):
        self.net.train()
        return self.net(images)


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.scale = Net(), torch.rand(10) + 0.5

    def forward(self, images):
        return self.net(images) * self.scale


def failing(size):
    return Net(size)


def no_module():
    return 3


def broken():
    raise RuntimeError("no net")


def purified(net, images):  # moved to where the largest logit grows, when it is tested
    with torch.enable_grad():
        moved = images.detach().requires_grad_(True)
        logits = net.last(torch.tanh(net.norm(net.convolution(moved))).flatten(1))
        (gradient,) = torch.autograd.grad(logits.amax(dim=1).sum(), moved)
    return images + 0.01 * gradient


def purifying():
    torch.manual_seed(1)
    net = Net()
    net.before = lambda images: purified(net, images)
    return net


softmax = changed(lambda net, images, logits: logits.softmax(dim=1))
log_softmax = changed(lambda net, images, logits: logits.log_softmax(dim=1))
few = changed(lambda net, images, logits: logits[:, :4])
flat = changed(lambda net, images, logits: logits[:, 0])
pair = changed(lambda net, images, logits: (logits, images))
array = changed(lambda net, images, logits: logits.numpy())
double = changed(lambda net, images, logits: logits.double())
infinite = changed(lambda net, images, logits: logits / 0)
detached = changed(lambda net, images, logits: logits.detach())
rounded = changed(lambda net, images, logits: net.last(images.sign().repeat(1, 12, 1, 1).flatten(1)))
random = changed(lambda net, images, logits: dropout(logits, training=True))
related = changed(lambda net, images, logits: logits - logits.mean(dim=0))
a_number = 3
