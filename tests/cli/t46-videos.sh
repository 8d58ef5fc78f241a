#!/bin/sh
# videos: listing, clips, views, policies, files that cannot be read
. "${0%/*}/lib.sh"

mkdir -p set/videos/train/rise set/videos/train/fall set/videos/val/rise set/videos/val/fall
cp "$FIXTURES/videos/bframes.mp4" "$FIXTURES/videos/vfr.mp4" set/videos/train/rise
cp "$FIXTURES/videos/vp9.webm" set/videos/train/fall
cp -R "$FIXTURES/videos/folder" set/videos/train/fall/pictures
cp "$FIXTURES/videos/turned.mp4" set/videos/val/rise
cp "$FIXTURES/videos/packed.avi" set/videos/val/fall
set_is="--data.dataset generic_video_dataset --data.data_root_dir set --data.num_classes 2 --data.split_source subdirs --data.label_source folder"
seed="--training.seed 5"

check 'files and folders of pictures are listed, with their class' '
    glovita-index $set_is --no_shuffle >i.gv && glovita-cat --json i.gv >out && [ $(wc -l <out) = 4 ] &&
    grep "\"path\":\"videos/train/fall/pictures\",\"y\":0" out && grep "bframes.mp4.*\"y\":1" out && ! grep notes.txt out'
check 'ids of splits.json find files without their suffix, and folders' '
    printf "{\"train\": [\"train/rise/vfr\", \"train/fall/pictures\"], \"val\": [\"val/rise/turned\"]}" >set/splits.json &&
    glovita-index --data.dataset generic_video_dataset --data.data_root_dir set --data.num_classes 2 --data.label_source folder --no_shuffle | glovita-cat | grep -c "path=videos/train/" | grep 2'
check 'a clip is [T,H,W,C], with its times and the numbers of its frames' '
    glovita-index $set_is --no_shuffle --data.frames_per_clip 4 --data.sampling_rate 3 --data.train_clip_sampler constant | glovita-decode --split train | glovita-cat --json >out &&
    grep "bframes.mp4.*\"frames\":\[0,3,6,9\].*\"shape\":\[4,48,64,3\]" out && grep "vfr.mp4.*\"times\":\[0.0,0.12" out && grep "pictures.*\"frames\":\[0,2,2,2\].*\"shape\":\[4,6,8,3\]" out'
check 'the header tells how clips lie' 'glovita-index $set_is --data.frames_per_second 7.5 --data.test_clips 3 | glovita-cat --header | tr -d " \n" >out && grep "\"fps\":7.5" out && grep "\"test_clips\":3" out'
check 'untouched, clips are those that the published weights were trained on' '
    plan() { glovita_train $set_is --print_pipeline "$@" | grep -o "frames_per_[a-z]* [0-9]*" | sort -u | tr "\n" " "; }
    [ "$(plan --model.encoder.encoder_type torchvision_video --model.encoder.type r3d_18)" = "frames_per_second 15 " ] && [ "$(plan --model.encoder.encoder_type pytorchvideo --model.encoder.type x3d_s)" = "frames_per_clip 13 frames_per_second 5 " ] &&
    [ "$(plan --model.encoder.encoder_type pytorchvideo --model.encoder.type x3d_s --data.frames_per_clip 8 --data.sampling_rate 2)" = "frames_per_clip 8 " ] && [ -z "$(plan --model.encoder.encoder_type pytorchvideo --model.encoder.type x3d_s --model.encoder.no_pretrained)" ]'
check 'the same clips with one worker and with three; other ones in another epoch' '
    glovita-index $set_is $seed --epochs 2 --data.frames_per_clip 2 >one.gv && glovita-decode $seed <one.gv | glovita-cat --json | sort >a &&
    for i in 0 1 2; do glovita-index $set_is $seed --epochs 2 --data.frames_per_clip 2 --shard $i/3 | glovita-decode $seed | glovita-cat --json; done | sort >b && cmp a b &&
    grep "bframes" a | sed "s/.*frames\":\(\[[0-9,]*\]\).*/\1/" | uniq | wc -l | grep 2'
check 'clips of a test video become rows of one id' '
    glovita-index $set_is --split val --data.frames_per_clip 4 --data.test_clips 3 | glovita-decode --split test |
    glovita-augment --data.dataset generic_video_dataset --split test --data.augmentation.image_size 32 --data.augmentation.resize_size 40 | glovita-batch --split eval | glovita-cat --json >out &&
    grep "\"shape\":\[6,4,32,32,3\]" out && grep -o "\"id\":.*" out | grep "packed.avi\",\"val/fall/packed.avi\",\"val/fall/packed.avi\",\"val/rise/turned"'
check 'default_video crops and flips all frames of a clip alike' '
    glovita-index $set_is $seed --data.frames_per_clip 2 --data.train_clip_sampler whole >w.gv && glovita-decode <w.gv |
    glovita-augment --data.dataset generic_video_dataset $seed --data.augmentation.image_size 40 --data.augmentation.resize_size 48 | glovita-batch | glovita-cat --json | grep "\"shape\":\[4,2,40,40,3\]"'
check 'one of the three distances' 'exits 2 glovita-index $set_is --data.sampling_rate 2 --data.clip_seconds 1 2>err && grep "give one of them" err'

# what cannot be read
mkdir -p bad/videos/train/a bad/videos/val/a
cp "$FIXTURES/videos/bframes.mp4" bad/videos/train/a/good.mp4
cp "$FIXTURES/videos/bframes.mp4" bad/videos/val/a/good.mp4
: >bad/videos/train/a/empty.mp4
head -c 4200 "$FIXTURES/videos/first.mp4" >bad/videos/train/a/cut.mp4
cp "$FIXTURES/videos/sound.mp4" bad/videos/train/a/sound.mp4
printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n' >bad/videos/train/a/list.mp4
echo 'no video at all' >bad/videos/train/a/text.mp4
bad_is="--data.dataset generic_video_dataset --data.data_root_dir bad --data.num_classes 1 --data.split_source subdirs --data.label_source folder --data.frames_per_clip 2"
check 'each says why, and nothing but that' '
    glovita-index $bad_is --no_shuffle | glovita-decode 2>err >out.gv && [ ! -s err ] && glovita-cat --json out.gv >out && [ $(grep -c "\"kind\":\"error\"" out) = 5 ] &&
    grep "empty.mp4.*the file is empty" out && grep "cut.mp4.*is cut.*frames, .* can be read" out && grep "sound.mp4.*holds no video" out && grep "list.mp4.*hls" out && grep "text.mp4.*no known video format" out'
check 'on_error fail ends with status 3 and names the file' '
    glovita-index $bad_is --no_shuffle | glovita-decode >d.gv && exits 3 glovita-batch <d.gv >/dev/null 2>err && grep "cut.mp4.*on_error skip" err'
check 'on_error skip goes on and counts' 'glovita-batch --on_error skip <d.gv 2>err | glovita-cat --json | grep "good.mp4" && grep "5 samples were left out" err'
check 'the frames of a cut file can be asked for' 'glovita-index $bad_is --no_shuffle --data.allow_cut | glovita-decode | glovita-cat --json | grep "cut.mp4.*\"shape\":\[2,48,64,3\]"'

# a part of a video, by records of one's own
if python msgpack; then
    cat >part.py <<'EOF'
import sys, msgpack
put = lambda r: sys.stdout.buffer.write(msgpack.packb(r))
put({"kind": "header", "format": "glovita-stream", "version": 1, "stream": "sample", "data_root": "set", "content": "video",
     "clips": {"train_sampler": "whole", "test_sampler": "whole", "frames": 3}})
for i, (a, b) in enumerate([(0.5, 0.8), (9.0, 10.0)]):
    put({"kind": "sample", "epoch": 0, "pos": i, "index": i, "draw": 0, "id": str(i), "path": "videos/train/rise/bframes.mp4", "start": a, "end": b})
put({"kind": "end", "count": 2, "digest": None})
EOF
    check 'start and end bound the part that counts; an empty one is an error' '
        "$PY" part.py | glovita-decode | glovita-cat --json >out && grep "\"frames\":\[13,16,19\]" out && grep "\"kind\":\"error\".*no frame of the video lies between 9.000 s and 10.000 s" out'
else
    skip 'start and end bound the part that counts; an empty one is an error' 'no Python with msgpack'
fi
done_testing
