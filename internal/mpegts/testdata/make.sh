#!/bin/sh
# Draws the fixtures again. They were made by ffmpeg 5.1.
set -eu
cd "$(dirname "$0")"
picture='-f lavfi -i testsrc=s=160x90:r=25:d=4'
tone='-f lavfi -i sine=f=440:r=48000:d=4'
exact='-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact'
x264='-c:v libx264 -pix_fmt yuv420p -preset veryfast -crf 35 -g 25 -bf 2 -sc_threshold 0 -threads 1'
x265='keyint=25:min-keyint=25:bframes=0:aud=1:info=0:log-level=none:pools=none:frame-threads=1:scenecut=0'
# shellcheck disable=SC2086
{
  ffmpeg -y -v error $picture $tone $exact $x264 -c:a aac -b:a 32k -ac 1 h264_aac.flv
  ffmpeg -y -v error $tone $exact -t 2 -c:a libmp3lame -b:a 32k -ac 1 -ar 44100 mp3.flv
  ffmpeg -y -v error $picture $exact -t 2 -pix_fmt yuv420p -c:v libx265 -preset ultrafast -crf 38 -x265-params "$x265" hevc.h265
  ffmpeg -y -v error $tone $exact -t 1 -c:a ac3 -b:a 32k -ac 1 tone.ac3
  ffmpeg -y -v error $tone $exact -t 1 -c:a eac3 -b:a 32k -ac 1 tone.eac3
}
