"""Decodes a stream with lost packets by the codec's own library and its own concealment: conceal.py JOB OUTPUT

JOB is a JSON file: codec ("opus", "g729", "speex/8000", "speex/16000"), packets (base64; each 20 ms), lost (their numbers).
OUTPUT gets raw 16-bit PCM, at 8000 Hz; of speex/16000 at 16000 Hz. A lost packet of Opus is taken from the next one's
in-band FEC, as libopus does where there is some.
"""
import base64
import ctypes
import json
import sys

FRAME_BYTES_G729 = 10


def opus(packets, lost):
    library = ctypes.CDLL("libopus.so.0")
    library.opus_decoder_create.restype = ctypes.c_void_p
    error = ctypes.c_int()
    decoder = ctypes.c_void_p(library.opus_decoder_create(8000, 1, ctypes.byref(error)))
    for number, packet in enumerate(packets):
        pcm = (ctypes.c_int16 * 160)()
        following = packets[number + 1] if number + 1 < len(packets) and number + 1 not in lost else None
        if number not in lost:
            library.opus_decode(decoder, packet, len(packet), pcm, 160, 0)
        elif following:
            library.opus_decode(decoder, following, len(following), pcm, 160, 1)
        else:
            library.opus_decode(decoder, None, 0, pcm, 160, 0)
        yield bytes(pcm)


def g729(packets, lost):
    library = ctypes.CDLL("libbcg729.so.0")
    library.initBcg729DecoderChannel.restype = ctypes.c_void_p
    library.bcg729Decoder.argtypes = [ctypes.c_void_p, ctypes.c_char_p] + 4 * [ctypes.c_uint8] + [ctypes.c_void_p]
    decoder = library.initBcg729DecoderChannel()
    for number, packet in enumerate(packets):
        for at in range(0, len(packet), FRAME_BYTES_G729):
            pcm = (ctypes.c_int16 * 80)()
            erased = int(number in lost)
            frame = packet[at : at + FRAME_BYTES_G729]
            library.bcg729Decoder(decoder, frame, len(frame), erased, 0, 0, pcm)
            yield bytes(pcm)


def speex(packets, lost, mode, samples):
    library = ctypes.CDLL("libspeex.so.1")
    library.speex_lib_get_mode.restype = ctypes.c_void_p
    library.speex_decoder_init.restype = ctypes.c_void_p
    decoder = ctypes.c_void_p(library.speex_decoder_init(ctypes.c_void_p(library.speex_lib_get_mode(mode))))
    # Larger than the structure SpeexBits.
    bits = ctypes.create_string_buffer(256)
    library.speex_bits_init(bits)
    for number, packet in enumerate(packets):
        pcm = (ctypes.c_int16 * samples)()
        if number in lost:
            library.speex_decode_int(decoder, None, pcm)
        else:
            library.speex_bits_read_from(bits, packet, len(packet))
            library.speex_decode_int(decoder, bits, pcm)
        yield bytes(pcm)


DECODERS = {
    "opus": opus,
    "g729": g729,
    "speex/8000": lambda packets, lost: speex(packets, lost, 0, 160),
    "speex/16000": lambda packets, lost: speex(packets, lost, 1, 320),
}

with open(sys.argv[1]) as file:
    job = json.load(file)
with open(sys.argv[2], "wb") as output:
    packets = [base64.b64decode(packet) for packet in job["packets"]]
    output.writelines(DECODERS[job["codec"]](packets, set(job["lost"])))
