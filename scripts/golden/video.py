"""Fixture videos and what they hold: tests/fixtures/videos, tests/golden/video.

Needs the program ffmpeg (libx264, libvpx), and in Python av (PyAV) and numpy. Videos are made only where they are missing
(encoders differ between versions); times and pixels are PyAV's: frame times from the first frame on in seconds, and RGB of a few frames
by swscale with accurate flags. The ffmpeg program must agree (also for the turned video, which it turns by itself).

NAME.txt: "frames N height H width W", then a line for each frame "time", then "pixels i j k"; NAME.rgb: those frames, H x W x 3 bytes each.
"""
import os, struct, subprocess, zlib
import av, numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FIX, OUT = os.path.join(ROOT, "tests/fixtures/videos"), os.path.join(ROOT, "tests/golden/video")
FLAGS = "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
SRC = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=1.6"]
X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "slow", "-crf", "30"]
GOP = ["-x264-params", "keyint=12:min-keyint=12:bframes=3:b-pyramid=normal:scenecut=0"]
MADE = {
    # B-frames that others refer to, a keyframe every 12 frames
    "bframes.mp4": SRC + X264 + GOP,
    # keyframes in the middle of a group: pictures before them refer back
    "opengop.mkv": SRC + X264 + ["-x264-params", "keyint=12:min-keyint=12:bframes=3:open-gop=1:scenecut=0"],
    # frames 1/25 s, then 3/25 s, then 1/50 s apart
    "vfr.mp4": SRC + ["-vf", "settb=1/1000,setpts='if(lt(N,10),N*40,if(lt(N,20),400+(N-10)*120,1600+(N-20)*20))'", "-vsync", "vfr", "-video_track_timescale", "1000", "-enc_time_base", "1/1000"] + X264 + GOP,
    # hidden frames for reference
    "vp9.webm": SRC + ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-b:v", "60k", "-g", "15", "-auto-alt-ref", "1", "-lag-in-frames", "12"],
    "vp8.webm": SRC + ["-c:v", "libvpx", "-pix_fmt", "yuv420p", "-b:v", "60k", "-g", "15", "-auto-alt-ref", "1", "-lag-in-frames", "12"],
    # no presentation times in the container
    "packed.avi": SRC + ["-c:v", "mpeg4", "-bf", "2", "-g", "12", "-q:v", "8"],
    # starts at 1.4 s, BT.709, full range
    "bt709.ts": SRC + ["-vf", "scale=out_color_matrix=bt709:out_range=pc,format=yuv420p"] + X264 + GOP + ["-colorspace", "bt709", "-color_range", "pc"],
}


def make():
    os.makedirs(FIX, exist_ok=True)
    run = lambda *a: subprocess.run(["ffmpeg", "-v", "error", "-y", *a], check=True)
    common = ["-an", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
    for name, args in MADE.items():
        if not os.path.exists(f"{FIX}/{name}"):
            run(*args, *common, f"{FIX}/{name}")
    if not os.path.exists(f"{FIX}/turned.mp4"):  # as a phone held upright writes it
        run("-i", f"{FIX}/bframes.mp4", "-c", "copy", "-metadata:s:v", "rotate=90", "-fflags", "+bitexact", f"{FIX}/turned.mp4")
    if not os.path.exists(f"{FIX}/edited.mp4"):  # copied from 0.6 s on: the first frames are decoded and not shown
        run("-ss", "0.6", "-i", f"{FIX}/bframes.mp4", "-c", "copy", "-fflags", "+bitexact", f"{FIX}/edited.mp4")
    if not os.path.exists(f"{FIX}/first.mp4"):  # its index comes first
        run("-i", f"{FIX}/bframes.mp4", "-c", "copy", "-movflags", "faststart", "-fflags", "+bitexact", f"{FIX}/first.mp4")
    os.makedirs(f"{FIX}/folder", exist_ok=True)
    for i in range(3):  # three grey pictures of 6 x 8, and a file that is none
        with open(f"{FIX}/folder/{i:02}.png", "wb") as f:
            f.write(png(np.full((6, 8), 10 * i, np.uint8)))
    with open(f"{FIX}/folder/notes.txt", "w") as f:
        f.write("not a picture\n")
    if not os.path.exists(f"{FIX}/sound.mp4"):
        run("-f", "lavfi", "-i", "sine=duration=0.2:sample_rate=8000", "-c:a", "aac", "-b:a", "16k", "-fflags", "+bitexact", f"{FIX}/sound.mp4")


def png(x):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + r.tobytes() for r in x)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", x.shape[1], x.shape[0], 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def decode(path):
    times, pixels = [], []
    with av.open(path) as f:
        s = f.streams.video[0]
        s.thread_type = "NONE"
        g = None
        for frame in f.decode(s):
            if g is None:
                g = av.filter.Graph()
                a = g.add_buffer(template=s)
                b = g.add("scale", f"flags={FLAGS}")
                c = g.add("format", "rgb24")
                d = g.add("buffersink")
                a.link_to(b), b.link_to(c), c.link_to(d)
                g.configure()
            times.append(frame.time)
            turn = frame.rotation
            frame.time_base = s.time_base
            g.push(frame)
            x = g.pull().to_ndarray()
            pixels.append(np.rot90(x, round(turn / 90)) if turn else x)
    return np.array(times), np.array(pixels)


def program(path, shape):
    p = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vsync", "passthrough", "-vf", f"scale=flags={FLAGS},format=gbrp", "-f", "rawvideo", "-pix_fmt", "gbrp", "-"], check=True, stdout=subprocess.PIPE)
    return np.frombuffer(p.stdout, np.uint8).reshape(-1, 3, *shape[:2])[:, [2, 0, 1]].transpose(0, 2, 3, 1)  # planes: packed RGB of FFmpeg 5 weights no chroma rows


def main():
    os.makedirs(OUT, exist_ok=True)
    make()
    for name in [*MADE, "turned.mp4", "edited.mp4"]:
        times, x = decode(f"{FIX}/{name}")
        y = program(f"{FIX}/{name}", x.shape[1:])
        diff = np.abs(x[:len(y)].astype(int) - y).max() if len(x) == len(y) else -1
        assert 0 <= diff <= 2, (name, diff, len(x), len(y))
        print(name, os.path.getsize(f"{FIX}/{name}"), "bytes,", len(x), "frames of", x.shape[1:], "start", times[0], "ffmpeg:", len(y), "frames, largest difference", diff)
        some = sorted({0, len(x) // 2 + 3, len(x) - 1})
        with open(f"{OUT}/{name}.txt", "w") as f:
            f.write(f"frames {len(x)} height {x.shape[1]} width {x.shape[2]}\n")
            f.writelines(f"{t - times[0]:.9f}\n" for t in times)
            f.write("pixels " + " ".join(map(str, some)) + "\n")
        x[some].tofile(f"{OUT}/{name}.rgb")


main()
