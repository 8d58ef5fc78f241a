"""Writes the small stream tests/fixtures/four.gv: made-up 8x8 pictures of one colour that stand for decoded images.
Run:  python scripts/golden/four.py | bin/glovita-cat --raw --output tests/fixtures/four.gv   (cat adds the digest)"""
import sys
import msgpack
import msgpack_numpy
import numpy as np

def put(r):
    sys.stdout.buffer.write(msgpack.packb(r, default=msgpack_numpy.encode))

put({"kind": "header", "format": "glovita-stream", "version": 1, "stream": "tensor", "class_names": ["cat", "dog"], "num_classes": 2,
     "task": "classification", "count": 4, "history": [{"program": "four.py", "version": "1", "options": {}}]})
for i in range(4):
    x = np.full((8, 8, 3), 40 * i, np.uint8)
    x[2:6, 2:6] = (255, 40 * i, 0)
    put({"kind": "tensor", "epoch": 0, "pos": i, "index": i, "draw": 0, "id": "%s/%d.png" % (("cat", "dog")[i % 2], i), "x": x, "y": i % 2})
put({"kind": "end", "count": 4, "digest": None})
