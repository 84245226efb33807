"""Voice quality by PESQ (ITU-T P.862, wide band P.862.2).

Reads a JSON list of [mode, reference, degraded] from standard input: mode "nb" (WAV files at 8000 Hz) or "wb" (16000 Hz).
Prints a JSON list of MOS-LQO, null where there is no speech to judge.
"""
import json
import multiprocessing
import sys
import wave

import numpy
import pesq

RATES = {"nb": 8000, "wb": 16000}


def samples(path, rate):
    with wave.open(path) as file:
        shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if shape != (rate, 1, 2):
            raise ValueError(f"{path} is not 16-bit mono at {rate} Hz, but {shape}")
        # A writer that was ended may have left a header that claims more than there is.
        data = file.readframes(1 << 26)
    return numpy.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")


def score(job):
    mode, reference, degraded = job
    rate = RATES[mode]
    try:
        return round(pesq.pesq(rate, samples(reference, rate), samples(degraded, rate), mode), 3)
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return None


if __name__ == "__main__":
    with multiprocessing.Pool() as pool:
        json.dump(pool.map(score, json.load(sys.stdin), chunksize=1), sys.stdout)
