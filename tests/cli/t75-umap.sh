#!/bin/sh
# umap: pictures, tables and pages of feature files; the same bytes with any threads; what cannot be drawn is told
. "${0%/*}/lib.sh"
have gnuplot || skip_all 'no gnuplot'
bags=$FIXTURES/bags features=$FIXTURES/features
png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] && [ "$(wc -c <"$1")" -gt 3000 ]; }

check 'a picture, a table, a page, under the name of the file' '
	glovita_plot_umap --h5_path $bags/instances_train.h5 >out && png umap_plots/single/instances_train.png &&
	printf "umap_plots/single/instances_train.%s\n" png csv html | same - out
'
check 'the table has a line a point' '[ "$(wc -l <umap_plots/single/instances_train.csv)" = 41 ] && [ "$(head -n 1 umap_plots/single/instances_train.csv)" = id,label,x,y ] && ! grep -E "nan|inf" umap_plots/single/instances_train.csv'
check 'the page needs nothing else' '! grep -iE "(src|href)=.?http|@import|url\(" umap_plots/single/instances_train.html && grep "\"title\":\"instances_train\"" umap_plots/single/instances_train.html && grep "n=40  classes=2" umap_plots/single/instances_train.html'
check 'SVG, the title with its counts' 'glovita-umap --h5_path $bags/instances_train.h5 --output_path a/b/c.svg --title "forty <of> them" >out && grep "forty &lt;of> them" a/b/c.svg && grep "n=40  classes=2" a/b/c.svg && [ -e a/b/c.csv ] && grep "forty .u003cof> them" a/b/c.html'
check 'the same bytes with 1, 2 and 3 threads' '
	for t in 1 2 3; do glovita-umap --h5_path $bags/ragged_train.h5 --output_path t$t.png --title same --threads $t >/dev/null || exit 1; done
	same t1.csv t2.csv && same t1.csv t3.csv && same t1.png t3.png && same t1.html t2.html
'
check 'another seed, another layout' 'glovita-umap --h5_path $bags/ragged_train.h5 --output_path s.png --seed 1 --no_html >/dev/null && ! cmp -s s.csv t1.csv && [ ! -e s.html ]'
check '--no_csv and --no_html leave the picture' 'glovita-umap --h5_path $bags/ragged_train.h5 --output_path only/p.png --no_csv --no_html >out && [ "$(cat out)" = only/p.png ] && [ "$(ls only)" = p.png ]'
check 'names of classes and ids come from the file' 'glovita-umap --h5_path $features/instances.h5 --output_path i.svg --n_neighbors 3 >/dev/null && tail -n +2 i.csv | head -n 1 && grep -q . i.csv && ! grep "^00000," i.csv'
check 'instances of bags are points, in the colour of their bag' '
	glovita-umap --h5_path $bags/ragged_train.h5 --output_path r.png >/dev/null && [ "$(wc -l <r.csv)" = 129 ] && glovita-umap --h5_path $bags/fixed_val.h5 --output_path f.png >/dev/null && [ "$(wc -l <f.csv)" = 49 ] && grep "^00007/5," f.csv
'
check 'a file of CLAM has no labels' 'f=$(ls $bags/clam/h5_files/*.h5 | head -n 1); glovita-umap --h5_path "$f" --output_path clam.png --n_neighbors 2 >/dev/null && [ "$(head -n 1 clam.csv)" = id,x,y ]'
check 'numbers instead of classes are drawn on a scale' 'glovita-umap --h5_path $features/targets.h5 --output_path v.svg --n_neighbors 2 >/dev/null 2>&1 && [ "$(head -n 1 v.csv)" = id,value,x,y ] && grep "\"value\":" v.html'
check 'at most so many of a class, and at most so many' '
	glovita-umap --h5_path $bags/instances_train.h5 --output_path m.png --max_samples 39 --max_per_class 7 >/dev/null 2>&1 && [ "$(wc -l <m.csv)" = 15 ] && cut -d, -f2 m.csv | sort | uniq -c | grep " 7 0" &&
	glovita-umap --h5_path $bags/instances_train.h5 --output_path n.png --max_samples 11 >/dev/null 2>&1 && [ "$(wc -l <n.csv)" = 12 ]
'
check 'too many neighbours: as many as there are, and a warning' 'glovita-umap --h5_path $features/instances.h5 --output_path k.png >/dev/null 2>err && grep "warning: .--n_neighbors. is 15 and there are 6 samples; 5 are taken" err'
check 'angles instead of distances' 'glovita-umap --h5_path $bags/ragged_train.h5 --output_path cos.png --metric cosine --no_html >/dev/null && ! cmp -s cos.csv t1.csv'
check '--quality tells how far it can be trusted' 'glovita-umap --h5_path $bags/ragged_train.h5 --output_path q.png --quality >out && grep "^trustworthiness [01]\.[0-9]*  recall 0\.[0-9]*  (15 neighbours)$" out'
check 'usage is status 2' '
	exits 2 glovita-umap 2>err && grep "h5_path. is not given" err && exits 2 glovita_plot_umap --output_path x.png 2>err && grep "h5_path" err &&
	exits 2 glovita_plot_umap --h5_path nowhere.h5 2>err && grep "nowhere.h5.*does not exist" err && exits 2 glovita-umap --h5_path $bags/fixed_val.h5 --output_path x.jpg 2>err && grep "ends in .png or .svg" err &&
	exits 2 glovita-umap --h5_path $bags/fixed_val.h5 --n_neighbors 1 2>err && grep "range" err
'
check 'what is no feature file is status 3' '
	echo hello >text.h5 && exits 3 glovita_plot_umap --h5_path text.h5 2>err && grep "text.h5.*no readable HDF5" err && exits 3 glovita-umap --h5_path $bags/bad_none.h5 --output_path x.png 2>err && grep "no data set .features." err &&
	exits 3 glovita-umap --h5_path $bags/bad_labels.h5 --output_path x.png 2>err && grep "bad_labels.h5.*labels. has 3 rows" err && [ ! -e x.png ]
'
if python h5py numpy; then
	check 'numbers that are not finite are status 5, with their place; what asks for programs is not run' '
		$PY -c "
import h5py, numpy as np
x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
with h5py.File(\"strange.h5\", \"w\") as f:
    f[\"features\"], f[\"labels\"] = x, np.arange(30) % 25
    f.attrs[\"split\"], f.attrs[\"data\"] = \"val\", \"{\\\"dataset\\\": \\\"command\\\", \\\"command\\\": \\\"touch owned\\\", \\\"data_root_dir\\\": \\\"/\\\"}\"
x[17, 3] = np.nan
with h5py.File(\"nan.h5\", \"w\") as f:
    f[\"features\"], f[\"ids\"] = x, [\"case %d\" % i for i in range(30)]
with h5py.File(\"one.h5\", \"w\") as f:
    f[\"features\"] = x[:1]
" && exits 5 glovita_plot_umap --h5_path nan.h5 2>err && grep "row 17 (case 17) holds nan in column 3" err && exits 3 glovita-umap --h5_path one.h5 2>err && grep "1 points; UMAP needs at least 2" err &&
		glovita_plot_umap --h5_path strange.h5 --output_path strange.png >/dev/null && [ "$(cut -d, -f2 strange.csv | sort -u | wc -l)" = 26 ] && [ ! -e owned ] && { glovita_plot_umap --h5_path strange.h5 --data.data_root_dir . >/dev/null 2>&1; [ ! -e owned ]; }
	'
else
	skip 'numbers that are not finite' 'no h5py'
fi
check 'the pipeline can be printed, and does the same' '
	glovita_plot_umap --h5_path $bags/ragged_train.h5 --output_path p.png --title same --print_pipeline >p.sh && [ ! -e p.png ] && grep "^glovita-umap .*--output_path p.png" p.sh && bash p.sh >/dev/null && same p.csv t1.csv &&
	glovita_plot_umap --h5_path $bags/ragged_train.h5 --output_path p.png --title same --dry_run | same - p.sh
'
check 'without gnuplot one line says what to install' '
	mkdir bin && ln -s "$(command -v glovita-umap)" bin/ && { PATH=$T/bin exits 4 glovita-umap --h5_path $bags/fixed_val.h5 --output_path n/x.png --log error 2>err; } && [ "$(wc -l <err)" = 1 ] && grep "apt install gnuplot-nox" err && [ ! -e n/x.png ] && [ -z "$(ls n)" ]
'

fashion=/usr/share/datasets/fashion-mnist
if [ -e $fashion/t10k-images-idx3-ubyte.gz ]; then
	check 'features of photographs: their classes, a layout to be trusted' '
		glovita_extract_features --data.dataset fashion_mnist --data.data_root_dir $fashion --split val --method avg --output_dir f --model.encoder.type resnet10t --model.encoder.no_pretrained --data.augmentation.image_size 32 >out 2>/dev/null &&
		glovita_plot_umap --h5_path "$(cat out)" --output_path f.png --max_samples 3000 --max_per_class 150 --quality >said && cat said && [ "$(wc -l <f.csv)" = 1501 ] && cut -d, -f2 f.csv | sort | uniq -c | grep " 150 Ankle boot" &&
		awk "/^trustworthiness/ { exit !(\$2 > 0.93 && \$4 > 0.2) }" said
	'
	check 'pictures go into the page where the data is' '
		glovita_plot_umap --h5_path "$(cat out)" --output_path g.png --max_samples 500 --max_per_class 50 --data.data_root_dir $fashion >/dev/null && grep "\"place\":" g.html && grep "\"sheets\":\[\"/9j/" g.html && ! grep "\"place\":" f.html
	'
	check 'pictures that were asked for and cannot be had are an error' '
		exits 2 glovita_plot_umap --h5_path "$(cat out)" --thumbnails 2>err && grep "data_root_dir" err && exits 2 glovita_plot_umap --h5_path "$(cat out)" --data.data_root_dir nowhere 2>err && grep "no pictures for the page.*nowhere" err
	'
else
	skip 'features of photographs' 'no Fashion-MNIST'
fi
done_testing
