#!/usr/bin/env python3
"""Golden values of PyTorch float64 for the engine's ops: tests/golden/ops.txt, read by tests/nn/golden.c.

Run by hand: scripts/golden/ops.py >tests/golden/ops.txt
Inputs are not stored: element i of tensor number s is ((i * 7919 + s * 104729) mod 2003) / 1001 - 1, in the engine's layout (activations
channels-last, parameters as in PyTorch). Each line: case, tensor, count, values.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def value(s, *shape):
    n = 1
    for d in shape:
        n *= d
    i = torch.arange(n, dtype=torch.int64)
    return (((i * 7919 + s * 104729) % 2003).to(torch.float64) / 1001 - 1).reshape(shape)


def leaf(s, *shape):
    return value(s, *shape).requires_grad_()


def first(x):  # channels-last to channels-first
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def out(case, **tensors):
    for name, t in tensors.items():
        t = t.detach().contiguous().reshape(-1)
        print(case, name, t.numel(), *(f'{v:.17g}' for v in t.tolist()))


def done(case, loss, y, *inputs):
    loss.backward()
    out(case, y=y, loss=loss, **{f'd{i}': x.grad for i, x in enumerate(inputs)})


def weighed(y):
    return (y * value(99, *y.shape)).sum()


def convolution():
    for case, f, x, w, b, o in (
        ('conv1d', F.conv1d, (2, 9, 4), (6, 2, 3), 6, dict(stride=2, padding=1, groups=2)),
        ('conv2d', F.conv2d, (2, 7, 6, 3), (5, 3, 3, 2), 5, dict(stride=(2, 1), padding=(1, 1), dilation=(1, 2))),
        ('conv3d', F.conv3d, (1, 4, 5, 4, 2), (3, 2, 2, 3, 3), 3, dict(stride=1, padding=(0, 1, 1))),
    ):
        x, w, b = leaf(1, *x), leaf(2, *w), leaf(3, b)
        y = last(f(first(x), w, b, **o))
        done(case, weighed(y), y, x, w, b)


def pooling():
    x = leaf(1, 2, 7, 8, 3)
    y = last(F.max_pool2d(first(x), 3, 2, 1))
    done('maxpool', weighed(y), y, x)
    x = leaf(1, 1, 7, 8, 3)
    y = last(F.max_pool2d(first(x), 3, 2, 0, ceil_mode=True))
    done('maxpool_ceil', weighed(y), y, x)
    for case, ceil, pad, counted in (('avgpool', False, 1, False), ('avgpool_counted', True, 1, True), ('avgpool_ceil', True, 0, False)):
        x = leaf(1, 1, 7, 8, 3)
        y = last(F.avg_pool2d(first(x), 3, 2, pad, ceil_mode=ceil, count_include_pad=counted))
        done(case, weighed(y), y, x)


def activations():  # F.hardsigmoid's own gradient has 1/6 in float32 only
    for case, f in (('relu', F.relu), ('gelu', F.gelu), ('gelu_tanh', lambda x: F.gelu(x, approximate='tanh')), ('silu', F.silu),
                    ('sigmoid', torch.sigmoid), ('tanh', torch.tanh), ('hard_sigmoid', lambda x: (x + 3).clamp(0, 6) / 6), ('leaky_relu', F.leaky_relu)):
        x = leaf(1, 40)
        y = f(x * 4)
        done(case, weighed(y), y, x)


def norms():
    x, w, b = leaf(1, 3, 2, 2, 4), leaf(2, 4), leaf(3, 4)
    mean, var = torch.zeros(4), torch.ones(4)
    y = last(F.batch_norm(first(x), mean, var, w, b, True, 0.1, 1e-5))
    done('batchnorm_train', weighed(y), y, x, w, b)
    out('batchnorm_train', running_mean=mean, running_var=var)
    x, w, b = leaf(1, 3, 2, 2, 4), leaf(2, 4), leaf(3, 4)
    y = last(F.batch_norm(first(x), value(4, 4), value(5, 4) + 1.5, w, b, False, 0.1, 1e-5))
    done('batchnorm_eval', weighed(y), y, x, w, b)
    x, w, b = leaf(1, 3, 5, 12), leaf(2, 12), leaf(3, 12)
    y = F.layer_norm(x, (12,), w, b, 1e-6)
    done('layernorm', weighed(y), y, x, w, b)


def losses():
    label = torch.tensor([2, -100, 0, 5])
    x = leaf(1, 4, 6)
    done('cross_entropy', F.cross_entropy(x, label, label_smoothing=0.1), x, x)
    x = leaf(1, 4, 6)
    done('bce', F.binary_cross_entropy_with_logits(x * 3, (value(2, 4, 6) + 1) / 2), x, x)
    x = leaf(1, 4, 6)
    done('mse', F.mse_loss(x, value(2, 4, 6)), x, x)


def blocks():
    x, w, g, b, v = leaf(1, 2, 6, 6, 4), leaf(2, 8, 4, 3, 3), leaf(3, 8), leaf(4, 8), leaf(5, 8, 4, 1, 1)
    y = F.batch_norm(F.conv2d(first(x), w, stride=2, padding=1), None, None, g, b, True)
    y = last(F.relu(y + F.conv2d(first(x), v, stride=2)))
    done('residual', weighed(y), y, x, w, g, b, v)
    n, t, h, d = 2, 5, 2, 4  # a transformer's block: norm, attention, norm, mlp
    x, g, b = leaf(1, n, t, h * d), leaf(2, h * d), leaf(3, h * d)
    qkv, proj, up, down = leaf(4, 3 * h * d, h * d), leaf(5, h * d, h * d), leaf(6, 16, h * d), leaf(7, h * d, 16)
    q, k, v = F.linear(F.layer_norm(x, (h * d,), g, b, 1e-6), qkv).reshape(n, t, 3, h, d).permute(2, 0, 3, 1, 4)
    a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, h * d)
    y = x + F.linear(a, proj)
    y = y + F.linear(F.gelu(F.linear(y, up)), down)
    done('transformer', weighed(y), y, x, g, b, qkv, proj, up, down)


for part in (convolution, pooling, activations, norms, losses, blocks):
    part()
