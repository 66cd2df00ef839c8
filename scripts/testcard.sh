#!/bin/sh
# Makes internal/demo/testcard.flv, the clip that `rtmpd demo` publishes.
# Everything in it is drawn and synthesised here; needs ffmpeg with libx264 and
# libfreetype (any recent distribution's) and the DejaVu Sans Mono font.
#
# The clip must loop without a seam:
#   16 s = 480 video frames (30/s) = 750 AAC frames (1024 samples at 48 kHz),
#   so that both tracks end at the same instant;
#   the AAC frames are cut from the middle of a longer run of the same sound, so
#   that the first one overlaps what the last one ends with.
set -eu
cd "$(dirname "$0")/.."
out=${1:-internal/demo/testcard.flv}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

seconds=16
size=640x360
fps=30
mono='font=DejaVu Sans Mono'

# The picture: colour bars, a dark panel with name and seconds, a block that
# crosses once in two seconds, a square that lights up with the beep.
ffmpeg -nostdin -v error -y -fflags +bitexact \
	-f lavfi -i "smptehdbars=size=$size:rate=$fps:duration=$seconds" \
	-f lavfi -i "color=0x101418:size=360x150:rate=$fps:duration=$seconds" \
	-f lavfi -i "color=0xf2f2f2:size=36x36:rate=$fps:duration=$seconds" \
	-f lavfi -i "color=0x101418:size=640x36:rate=$fps:duration=$seconds" \
	-f lavfi -i "color=0xffb000:size=64x20:rate=$fps:duration=$seconds" \
	-filter_complex "
		[0][1]overlay=x=140:y=60[a];
		[a][3]overlay=x=0:y=324[b];
		[b][4]overlay=x='-64+704*mod(t,2)/2':y=332[c];
		[c][2]overlay=x=448:y=76:enable='lt(mod(t,1),0.1)'[d];
		[d]drawtext=$mono:text='rtmpd test card':fontcolor=0xf2f2f2:fontsize=28:x=160:y=80,
		drawtext=$mono:text='%{eif\:floor(t)\:d\:2}.%{eif\:floor(10*mod(t+0.001,1))\:d}':fontcolor=0xffb000:fontsize=64:x=160:y=128,
		drawtext=$mono:text='of $seconds s':fontcolor=0x9aa4ad:fontsize=24:x=350:y=160,
		format=yuv420p" \
	-frames:v $((seconds * fps)) \
	-c:v libx264 -preset veryslow -profile:v main -level 3.0 -crf 27 -bf 0 \
	-g $fps -keyint_min $fps -sc_threshold 0 -flags:v +bitexact -threads 1 \
	-x264-params "colorprim=bt709:transfer=bt709:colormatrix=bt709" \
	-f h264 "$tmp/video.h264"

# The sound: 0.1 s of 1 kHz at every full second, 2 kHz at the first.
ffmpeg -nostdin -v error -y -fflags +bitexact \
	-f lavfi -i "aevalsrc='0.25*sin(2*PI*(1000+1000*lt(mod(t,$seconds),1))*t)*lt(mod(t,1),0.1)*min(1,min(mod(t,1),0.1-mod(t,1))*200)':sample_rate=48000:duration=$((seconds * 3))" \
	-ac 2 -c:a aac -b:a 64k -flags:a +bitexact -f adts "$tmp/sound.aac"

# AAC frame n decodes to the samples from (n-1)*1024 on, so frame 751, at
# 16.021 s, begins with second 16. By way of MP4, for the AudioSpecificConfig must
# be known when FLV starts.
ffmpeg -nostdin -v error -y -i "$tmp/sound.aac" -ss 16.01 -frames:a 750 -c copy -f mp4 "$tmp/loop.m4a"

ffmpeg -nostdin -v error -y -fflags +bitexact \
	-framerate $fps -i "$tmp/video.h264" -i "$tmp/loop.m4a" \
	-map 0:v -map 1:a -c copy -flags:v +bitexact -flags:a +bitexact \
	-flvflags no_duration_filesize+no_sequence_end -f flv "$out"
ls -l "$out"
