# SPDX-License-Identifier: BSD-2-Clause
# For bench/run: each figure's ratio as a point with its quartiles, and a line where both are equal. Variables: ratios, picture.
set datafile separator "\t"
stats ratios using 2 nooutput
set terminal svg size 900,80+18*STATS_records dynamic font "sans-serif,13" background "white"
set output picture
set title "Hatchway to QEMU"
set logscale x 2
set xrange [0.0625:2]
set xtics ("1/16" 0.0625, "1/8" 0.125, "1/4" 0.25, "1/2" 0.5, "1" 1, "2" 2)
set yrange [] reverse
set offsets 0, 0, 0.5, 0.5
set grid x
set key off
set lmargin 50
set arrow 1 from 1, graph 0 to 1, graph 1 nohead linewidth 2 linecolor "#888888"
plot ratios using 2:0:3:4:ytic(1) with xerrorbars pointtype 7 pointsize 0.7 linewidth 1.5 linecolor "#1f5fa8"
