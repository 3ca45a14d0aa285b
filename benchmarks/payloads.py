"""What is sent: the pictures, and prepared requests around them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests import photographs

ROUTE = "/v1/image-classification"
"""Where requests go that do not say otherwise."""
BOUNDARY = "ekiben-benchmark"


def picture() -> bytes:
    """A 640x480 JPEG of about 80 KB."""
    return photographs.encoded(photographs.rgb("motorcycle").resize((640, 480)), "JPEG", quality=88)


def camera_picture() -> bytes:
    """A JPEG of 12 megapixels and some megabytes: a photograph enlarged, with noise as a camera's sensor has."""
    large = photographs.rgb("motorcycle").resize((4000, 3000), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (3000, 4000, 1))
    noisy = (np.asarray(large) + noise).clip(0, 255).astype(np.uint8)
    return photographs.encoded(Image.fromarray(noisy), "JPEG", quality=88)


def raw(data: bytes, path: str = ROUTE) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def multipart(data: bytes, path: str = ROUTE) -> bytes:
    disposition = 'content-disposition: form-data; name="image"; filename="a.jpg"'
    body = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
