"""The gradient of specs/round_trip.yaml as somebody would write it by hand in NumPy.

Run as a program it reads the exported inputs and writes its gradients, as a program in any language would:

    python specs/round_trip_gradient.py inputs.npz gradients.npz
"""

import sys

import numpy as np


def weights(X, T, w, b):
    """∂cost/∂w, shape [p, c]."""
    return X.T @ _scores(X, T, w, b)


def bias(X, T, w, b):
    """∂cost/∂b, shape [c]."""
    return _scores(X, T, w, b).sum(axis=0)


def _scores(X, T, w, b):
    z = X @ w + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True) - T) / len(X)


if __name__ == "__main__":
    inputs = np.load(sys.argv[1])
    tensors = {name: inputs[name] for name in ("X", "T", "w", "b")}
    float32 = {name: array.astype(np.float32) for name, array in tensors.items()}
    np.savez(sys.argv[2], **{"cost/w": weights(**tensors), "cost/b": bias(**float32)})
