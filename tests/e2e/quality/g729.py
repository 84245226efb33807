"""Encodes G.729A by Debian's libbcg729: g729.py INPUT OUTPUT

INPUT is raw 16-bit PCM at 8000 Hz, OUTPUT gets 10 bytes for each 10 ms. No tool of Debian's encodes G.729.
"""
import ctypes
import sys

FRAME_SAMPLES = 80
FRAME_BYTES = 10

library = ctypes.CDLL("libbcg729.so.0")
library.initBcg729EncoderChannel.restype = ctypes.c_void_p
library.initBcg729EncoderChannel.argtypes = [ctypes.c_uint8]
library.bcg729Encoder.restype = None
library.bcg729Encoder.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]


def main(source, target):
    without_silence_suppression = 0
    encoder = library.initBcg729EncoderChannel(without_silence_suppression)
    payload = (ctypes.c_uint8 * FRAME_BYTES)()
    length = ctypes.c_uint8()
    with open(source, "rb") as pcm, open(target, "wb") as coded:
        while len(frame := pcm.read(2 * FRAME_SAMPLES)) == 2 * FRAME_SAMPLES:
            library.bcg729Encoder(encoder, frame, payload, ctypes.byref(length))
            coded.write(bytes(payload)[: length.value])


main(*sys.argv[1:])
