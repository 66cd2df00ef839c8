#!/bin/sh
# Draws the fixtures again. They were made by ffmpeg 5.1: pictures of several
# slices, B-frames.
set -eu
cd "$(dirname "$0")"
picture='-f lavfi -i testsrc=s=160x96:r=25:d=3'
tone='-f lavfi -i sine=f=440:r=48000:d=3'
exact='-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact'
x264='-c:v libx264 -pix_fmt yuv420p -preset veryfast -crf 35 -g 25 -bf 2 -sc_threshold 0 -threads 1 -slices 3'
x265='info=0:log-level=none:frame-threads=1:pools=1:slices=4:bframes=2:keyint=12'
# shellcheck disable=SC2086
{
  ffmpeg -y -v error $picture $tone $exact $x264 -c:a aac -b:a 32k -ac 1 slices.flv
  ffmpeg -y -v error -f lavfi -i testsrc=s=320x256:r=25:d=1 $exact -pix_fmt yuv420p -c:v libx265 -preset ultrafast -crf 40 -x265-params "$x265" slices.h265
}
