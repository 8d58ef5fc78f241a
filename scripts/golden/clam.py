#!/usr/bin/env python3
"""Golden values of the bag heads, computed bag by bag without any padding, from the formulae in float64.

    clam.py              writes tests/golden/clam.gold

Three bags of 5, 1 and 13 instances of 12 numbers, three classes. Of every gradient its norm and its products with three vectors
of formula numbers are kept.
"""
import os
import numpy as np, torch, formula

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "clam.gold")
D, LENGTHS, LABELS = 12, (5, 1, 13), (2, 0, 1)
WIDTHS = {"tiny": (256, 128), "small": (512, 256), "big": (512, 384)}
F = torch.nn.functional
out = []

class Weights(dict):
    """A parameter is made when it is asked for."""
    def __call__(self, name, *shape):
        name = "head." + name
        if name not in self:
            self[name] = torch.from_numpy(formula.tensor(name, shape)).requires_grad_()
        return self[name]
    def linear(self, x, name, n):
        return x @ self(name + ".weight", n, x.shape[-1]).T + self(name + ".bias", n)

unit = lambda v: v / v.norm(dim=-1, keepdim=True).clamp_min(1e-12)

def attention(w, h, o, at, branches, n):
    pre = "attention_net.%d." % at
    if not o.get("gate", True):
        m = pre + ("module." if o.get("original") else "net.")
        return w.linear(torch.tanh(w.linear(h, m + "0", n)), m + "2", branches)
    a = torch.tanh(w.linear(h, pre + "attention_a.0", n))
    b = torch.sigmoid(w.linear(h, pre + "attention_b.0", n))
    return w.linear(a * b, pre + "attention_c", branches)

def classify(w, o, m, name, n):
    if not o.get("cosine", True):
        return w.linear(m, name, n)
    return 20 * unit(m) @ unit(w(name + ".weight", n, m.shape[-1])).T

def bag_logits(w, o, m, classes):
    if o["variant"] == "sb":
        return classify(w, o, m[0], "classifiers", classes)
    return torch.cat([classify(w, o, m[c], "classifiers.%d" % c, 1) for c in range(classes)])

def two_way(z, label, kind):
    if kind == "svm": # log sum exp(z_j + [j != label]) - z_label, written out
        other = 1 - label
        return torch.log(torch.exp(z[:, label]) + torch.exp(z[:, other] + 1)) - z[:, label]
    return torch.logsumexp(z, 1) - z[:, label]

def instance_loss(w, o, a, h, label, classes):
    n, k = len(h), 8
    k = max(1, min(k, n // 2)) if o.get("original") else min(k, n)
    total = 0.0
    for c in range(classes):
        z = w.linear(h, "instance_classifiers.%d" % c, 2)
        order = torch.argsort(a[min(c, len(a) - 1)], descending=True, stable=True)
        top, bottom = order[:k], order.flip(0)[:k]
        if c == label:
            total = total + torch.cat([two_way(z[top], 1, o.get("instance_loss")), two_way(z[bottom], 0, o.get("instance_loss"))]).mean()
        elif o.get("subtyping"):
            total = total + two_way(z[top], 0, o.get("instance_loss")).mean()
    return total / classes if o.get("subtyping") else total

def clam(w, o, bags, labels, classes):
    hidden, width = WIDTHS[o.get("size", "tiny")]
    branches = 1 if o["variant"] == "sb" else classes
    seen, few = [], []
    for x in bags:
        at = 0
        if o.get("prep", True):
            x = F.layer_norm(x, (D,), w("attention_net.0.layer_norm.weight", D), w("attention_net.0.layer_norm.bias", D), 1e-6)
            x, at = unit(x), 1
        h = torch.relu(w.linear(x, "attention_net.%d" % at, hidden))
        a = attention(w, h, o, at + (3 if o.get("original") else 2), branches, width).T # [B, n]
        p = torch.softmax(a, 1)
        seen.append((h, a, p, bag_logits(w, o, p @ h, classes)))
    logits = torch.stack([s[3] for s in seen])
    aux = torch.zeros(())
    if o.get("topk"):
        k = min(o["topk"], min(len(h) for h, *_ in seen))
        for h, a, p, _ in seen:
            q = torch.softmax(a / 0.25, 1)
            keep = torch.zeros_like(q).scatter_(1, q.topk(k, 1).indices, 1.0)
            q = q * keep
            few.append(bag_logits(w, o, (q / (q.sum(1, keepdim=True) + 1e-8)) @ h, classes))
        aux = aux + ((torch.stack(few) - logits.detach()) ** 2).mean()
    if o.get("instances"):
        each = [instance_loss(w, o, a, h, y, classes) for (h, a, _, _), y in zip(seen, labels)]
        aux = aux + o.get("instance_weight", 1.0) * sum(each) / len(each)
    else:
        for c in range(classes): # part of the network all the same
            w("instance_classifiers.%d.weight" % c, 2, hidden), w("instance_classifiers.%d.bias" % c, 2)
    return logits, aux, [s[2] for s in seen]

def mil(w, o, bags, labels, classes):
    z = []
    for x in bags:
        h = torch.relu(w.linear(x, "fc.0", 32))
        if o["kind"] == "mean":
            z.append(w.linear(h.mean(0), "classifier", classes))
        else:
            each = w.linear(h, "classifier", classes)
            p = torch.softmax(each, 1)
            z.append(each[(p[:, 1] if classes == 2 else p.max(1).values).argmax()])
    return torch.stack(z), torch.zeros(()), None

def bag_loss(z, y, kind):
    if kind == "svm":
        rows = [torch.log(sum(torch.exp(z[i, j] + (j != y[i])) for j in range(z.shape[1]))) - z[i, y[i]] for i in range(len(y))]
        return sum(rows) / len(rows)
    return F.cross_entropy(z, torch.tensor(y))

def case(key, head, o, classes=3):
    w = Weights()
    bags = [torch.from_numpy(formula.uniform("bag%d" % i, n * D).reshape(n, D)) for i, n in enumerate(LENGTHS)]
    labels = [y % classes for y in LABELS]
    logits, aux, weights = head(w, o, bags, labels, classes)
    loss = o.get("bag_weight", 1.0) * bag_loss(logits, labels, o.get("bag_loss")) + aux
    loss.backward()
    out.append((key + ":logits", logits))
    out.append((key + ":loss", loss))
    if weights:
        out.append((key + ":attention", torch.cat([p.reshape(-1) for p in weights])))
    for name, p in w.items():
        g = p.grad if p.grad is not None else torch.zeros_like(p)
        g = g.reshape(-1).numpy()
        out.append((key + ":grad:" + name, [np.linalg.norm(g)] + [float(g @ formula.uniform("probe%d" % i, g.size)) for i in range(3)]))

case("mb", clam, dict(variant="mb"))
case("sb", clam, dict(variant="sb", size="small"))
case("mb_all", clam, dict(variant="mb", instances=True, subtyping=True, topk=3, instance_weight=0.5))
case("sb_all", clam, dict(variant="sb", instances=True, topk=2))
case("plain", clam, dict(variant="sb", gate=False, cosine=False, prep=False))
case("original", clam, dict(variant="sb", original=True, cosine=False, prep=False, instances=True, instance_weight=0.3, bag_weight=0.7))
case("original_mb", clam, dict(variant="mb", original=True, cosine=False, prep=False, instances=True, subtyping=True, instance_weight=0.3, bag_weight=0.7,
                               instance_loss="svm", bag_loss="svm"))
case("original_ungated", clam, dict(variant="sb", original=True, gate=False, cosine=False, prep=False, instances=False))
case("mil_mean", mil, dict(kind="mean"))
case("mil_max", mil, dict(kind="max"))
case("mil_max_two", mil, dict(kind="max"), classes=2)

# the cross-entropy with class weights: smoothed with a row left out, and mixed
z, weights = torch.from_numpy(formula.uniform("logits", 20).reshape(4, 5)) * 3, torch.tensor([0.5, 1, 2, 3, 4], dtype=torch.float64)
def weighted(key, f):
    a = z.clone().requires_grad_()
    loss = f(a)
    loss.backward()
    out.extend([("weighted:%s:loss" % key, loss), ("weighted:%s:grad" % key, a.grad)])
weighted("smooth", lambda a: F.cross_entropy(a, torch.tensor([1, 4, -1, 2]), weight=weights, label_smoothing=0.2, ignore_index=-1))
y, perm = torch.tensor([1, 4, 0, 2]), torch.tensor([2, 0, 3, 1])
weighted("mixed", lambda a: 0.75 * F.cross_entropy(a, y, weight=weights) + 0.25 * F.cross_entropy(a, y[perm], weight=weights))
formula.write(OUT, out)
